#!/bin/sh
# Run by the PostgreSQL image when its volume is new: creates a database per service, with an owner role for migrations
# and a role for the service, which may only connect until the migration grants it rights.
set -eu

create() { # create SERVICE OWNER_PASSWORD PASSWORD
    psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
        -v database="$1" -v owner="$1_owner" -v owner_password="$2" -v password="$3" <<'SQL'
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password';
CREATE ROLE :"database" LOGIN PASSWORD :'password';
CREATE DATABASE :"database" OWNER :"owner" TEMPLATE template0
    ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8';
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"database";
SQL
}

create user_service "$USER_OWNER_PASSWORD" "$USER_PASSWORD"
create order_service "$ORDER_OWNER_PASSWORD" "$ORDER_PASSWORD"
