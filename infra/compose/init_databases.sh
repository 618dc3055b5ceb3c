#!/bin/sh
# At the first start of the container: a role and a database each for Airflow and the metastore; the public may enter none.
set -eu
for name in airflow metastore; do
  psql -v ON_ERROR_STOP=1 -U postgres -v name="$name" -v password="$(cat "/run/secrets/$name")" <<'SQL'
create role :"name" login password :'password';
create database :"name" owner :"name";
revoke all on database :"name" from public;
SQL
done
