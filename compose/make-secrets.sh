#!/bin/sh
# Make the shop's secrets on the first start; later starts find them and change nothing.
#
# Every reader gets a file of NAME=value lines in its own folder, readable by its group only. Root owns the files: it runs
# without the capability to override permissions, and so can complete them after an interrupted start.
set -eu
cd "${1:?the folder of the secrets}"
[ ! -e complete ] || exit 0
umask 027

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

keep() { # keep READER GROUP: write standard input as the reader's file
    mkdir -p "$1"
    cat >"$1/environment"
    chgrp -R "$2" "$1"
}

database() { # database ROLE PASSWORD DATABASE
    echo "DATABASE_URL=postgresql://$1:$2@postgres:5432/$3"
}

services=10001
admin=$(random) user_owner=$(random) user=$(random) order_owner=$(random) order=$(random)
shared="TOKEN_SECRETS=$(random)
SERVICE_CREDENTIAL=$(random)"

keep postgres postgres <<END
POSTGRES_PASSWORD=$admin
USER_OWNER_PASSWORD=$user_owner
USER_PASSWORD=$user
ORDER_OWNER_PASSWORD=$order_owner
ORDER_PASSWORD=$order
END
database user_service_owner "$user_owner" user_service | keep user-owner "$services"
database order_service_owner "$order_owner" order_service | keep order-owner "$services"
{ database user_service "$user" user_service; echo "$shared"; } | keep user-service "$services"
{ database order_service "$order" order_service; echo "$shared"; } | keep order-service "$services"
: >complete
