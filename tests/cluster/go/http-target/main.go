// A target on net/http, for tests of what leaves. It speaks the paths of tests/support/servers.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

var bodies = map[string]string{"/large": strings.Repeat("x", 1<<20)}

func port(r *http.Request) string {
	_, port, _ := net.SplitHostPort(r.RemoteAddr)
	return port
}

func length(r *http.Request) int64 {
	length, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		log.Print(err)
	}
	return length
}

func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/early" { // before anything of the body is read
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	read := length(r)
	switch r.URL.Path {
	case "/204":
		w.WriteHeader(http.StatusNoContent)
	case "/304":
		w.WriteHeader(http.StatusNotModified)
	case "/304-length":
		w.Header().Set("Content-Length", "1234")
		w.WriteHeader(http.StatusNotModified)
	case "/large":
		io.WriteString(w, bodies["/large"])
	case "/chunked":
		w.Header().Set("Trailer", "X-Checked")
		io.WriteString(w, "one ")
		w.(http.Flusher).Flush()
		io.WriteString(w, "two")
		w.Header().Set("X-Checked", "yes")
	case "/interim":
		w.WriteHeader(http.StatusContinue)
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprintf(w, `{"port": %s, "length": %d}`, port(r), read)
	case "/reset":
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			log.Fatal(err)
		}
		below := connection
		if secure, ok := connection.(*tls.Conn); ok {
			below = secure.NetConn()
		}
		below.(*net.TCPConn).SetLinger(0)
		below.Close()
	default:
		fmt.Fprintf(w, `{"port": %s, "length": %d}`, port(r), read)
	}
}

func main() {
	address := flag.String("listen", "", "where to listen")
	idle := flag.Duration("idle", time.Minute, "how long an idle connection is kept")
	identity := flag.String("identity", "", "certificate and key, for TLS")
	clients := flag.String("clients", "", "authorities of the certificates that clients must show")
	flag.Parse()
	server := &http.Server{Addr: *address, Handler: http.HandlerFunc(answer), IdleTimeout: *idle}
	if *identity == "" {
		log.Fatal(server.ListenAndServe())
	}
	if *clients != "" {
		pem, err := os.ReadFile(*clients)
		if err != nil {
			log.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		server.TLSConfig = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	}
	log.Fatal(server.ListenAndServeTLS(*identity, *identity))
}
