// Reads Kubernetes objects as JSON, one after the other, from standard input, and prints for each
// what kstatus makes of it: a JSON object a line, {"status": …, "message": …}.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var raw json.RawMessage
		if err := in.Decode(&raw); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		var object unstructured.Unstructured
		if err := object.UnmarshalJSON(raw); err != nil { // numbers as Kubernetes has them
			log.Fatal(err)
		}
		result, err := status.Compute(&object)
		if err != nil {
			log.Fatal(err)
		}
		if err := out.Encode(map[string]any{"status": result.Status, "message": result.Message}); err != nil {
			log.Fatal(err)
		}
	}
}
