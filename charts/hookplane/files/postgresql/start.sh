#!/bin/sh
# Starts PostgreSQL, and makes its database before the first start. Arguments go to the server.
# $PGDATA is a folder inside of the volume; $SECRETS has the files `password` and
# `migration-password`.
set -eu

initialise() {
  new=$PGDATA.new
  rm -rf "$new"
  initdb --pgdata "$new" --username postgres --auth trust --encoding UTF8 --no-locale \
    --data-checksums
  # the superuser is only let in from inside of this container
  cat >"$new/pg_hba.conf" <<HBA
local all postgres trust
host hookplane hookplane,hookplane_owner all scram-sha-256
HBA
  statements "$new" postgres <<SQL
create role hookplane_owner login
create role hookplane login
create database hookplane owner hookplane_owner
SQL
  # what migrations make, the data plane may use, and no more than that
  statements "$new" hookplane <<SQL
alter default privileges for role hookplane_owner grant usage on schemas to hookplane
alter default privileges for role hookplane_owner grant select, insert, update, delete on tables to hookplane
alter default privileges for role hookplane_owner grant usage on sequences to hookplane
alter default privileges for role hookplane_owner grant execute on functions to hookplane
SQL
  # last: whoever is interrupted before this begins anew
  mv "$new" "$PGDATA"
}

# One a line, run by a server that nobody can connect to.
statements() {
  postgres --single -c exit_on_error=true -D "$1" "$2" >/dev/null
}

# The password in a file, as SQL.
literal() {
  printf "'%s'" "$(sed "s/'/''/g" "$SECRETS/$1")"
}

[ -e "$PGDATA" ] || initialise
# fsGroup opens the folder to the group, which the server refuses
chmod 0700 "$PGDATA"
# at each start, so that the server follows the Secret, also when that was made anew
statements "$PGDATA" hookplane <<SQL
alter role hookplane password $(literal password)
alter role hookplane_owner password $(literal migration-password)
SQL
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
