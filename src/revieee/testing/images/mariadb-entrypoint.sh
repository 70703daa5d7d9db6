#!/bin/sh
# Does what the official image's entrypoint does: begins as root, takes over its volume, drops its privileges, makes the
# database at the first start. Variables have the names of either family, MARIADB_… or MYSQL_….
set -eu

data=/var/lib/mysql
variable() { eval "printf %s \"\${MARIADB_$1-\${MYSQL_$1-}}\""; }
quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/[\\\\']/\\\\&/g")"; }
say() { printf '%s\n' "$1"; } # unlike echo, it leaves backslashes as they are
# shellcheck disable=SC2016  # the backticks are SQL's, not the shell's
name() { printf '`%s`' "$(printf %s "$1" | sed 's/`/``/g')"; }

if [ "${1#-}" != "$1" ]; then
    set -- mariadbd "$@"
fi
if [ "$1" = mariadbd ] && [ "$(id -u)" = 0 ]; then
    mkdir -p "$data" /run/mysqld
    chown -R mysql:mysql "$data" /run/mysqld
    exec setpriv --reuid=mysql --regid=mysql --init-groups -- "$0" "$@"
fi
if [ "$1" = mariadbd ] && [ ! -d "$data/mysql" ]; then
    root_password=$(variable ROOT_PASSWORD)
    if [ -z "$root_password$(variable ALLOW_EMPTY_ROOT_PASSWORD)$(variable ALLOW_EMPTY_PASSWORD)" ]; then
        echo "Database is uninitialized and password option is not specified: set MARIADB_ROOT_PASSWORD." >&2
        exit 1
    fi
    mariadb-install-db --datadir="$data" --auth-root-authentication-method=normal --skip-test-db >/dev/null
    database=$(variable DATABASE)
    user=$(variable USER)
    {
        say "FLUSH PRIVILEGES;"
        say "ALTER USER root@localhost IDENTIFIED BY $(quoted "$root_password");"
        say "CREATE USER root@'%' IDENTIFIED BY $(quoted "$root_password");"
        say "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
        if [ -n "$database" ]; then
            say "CREATE DATABASE $(name "$database");"
        fi
        if [ -n "$user" ]; then
            say "CREATE USER $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$(variable PASSWORD)");"
            [ -z "$database" ] || say "GRANT ALL ON $(name "$database").* TO $(quoted "$user")@'%';"
        fi
        [ -z "$database" ] || say "USE $(name "$database");"
        for file in /docker-entrypoint-initdb.d/*.sql; do
            [ ! -f "$file" ] || cat "$file"
        done
    } | mariadbd --bootstrap --datadir="$data" --skip-grant-tables=0
    echo "MariaDB init process done. Ready for start up."
fi
exec "$@"
