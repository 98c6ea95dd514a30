#!/usr/bin/env bash
# Install the system programs that tests and `make cluster` start: reverse proxies, PostgreSQL, Redis, PgBouncer, Node
# (tests of generated clients), and the commands of the documents (curl, sqlite3).
#
# Does nothing when all are installed. Installs only as root, with apt (Debian, Ubuntu); otherwise it prints what is missing
# and the tests that need it are skipped. Starts no service, enables none for the next boot and creates no database.
# Always exits 0: a machine without network can run the other tests. Takes at most MAX_S seconds.
set -euo pipefail
PATH="$PATH:/usr/sbin:/sbin$(printf ':%s' /usr/lib/postgresql/*/bin)"
readonly MAX_S=300
readonly NO_MAIN_CLUSTER=/etc/postgresql-common/createcluster.d/ordertrack-tests.conf # read by Debian's packages
readonly POLICY=/usr/sbin/policy-rc.d # called by Debian packages before they start a service; 101 forbids it

# program:package. Debian's package apache2-bin has the program without the service.
readonly PROGRAMS=(
    nginx:nginx haproxy:haproxy apache2:apache2-bin chromium:chromium caddy:caddy varnishd:varnish
    postgres:postgresql redis-server:redis-server pgbouncer:pgbouncer
    node:nodejs npm:npm curl:curl sqlite3:sqlite3
)
readonly SERVICES=(nginx haproxy caddy varnish varnishncsa postgresql redis-server pgbouncer)

installed() { # tell whether a program is there; Debian has those of PostgreSQL in a folder for each version
    command -v "$1" >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null
}

missing() { # print the packages whose programs are not installed, one per line
    local entry
    for entry in "${PROGRAMS[@]}"; do
        installed "${entry%%:*}" || echo "${entry#*:}"
    done
}

apt() { # run apt-get within the remaining time
    local left_s=$((MAX_S - SECONDS))
    DEBIAN_FRONTEND=noninteractive timeout --kill-after=5 "$((left_s > 1 ? left_s : 1))" \
        apt-get -qq -o DPkg::Lock::Timeout=60 -o Acquire::http::Timeout=20 -o Acquire::Retries=1 "$@" \
        </dev/null >>"$log" 2>&1
}

forbid_service_starts() {
    local answer=0
    "$POLICY" nginx start >/dev/null 2>&1 || answer=$?
    [ "$answer" -ne 101 ] || return 0
    if [ -e "$POLICY" ] && [ ! -e "$POLICY.kept" ]; then mv "$POLICY" "$POLICY.kept"; fi
    policy_is_ours=1
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
}

forbid_main_cluster() { # postgresql would create a database cluster that the next boot starts
    mkdir -p "$(dirname "$NO_MAIN_CLUSTER")"
    echo 'create_main_cluster = off' >"$NO_MAIN_CLUSTER"
}

restore_configuration() {
    rm -f "$NO_MAIN_CLUSTER"
    [ -n "${policy_is_ours:-}" ] || return 0
    rm -f "$POLICY"
    if [ -e "$POLICY.kept" ]; then mv "$POLICY.kept" "$POLICY"; fi
}

install() { # install all at once; if that fails each alone, so that one missing package does not prevent the others
    local package
    dpkg --configure -a </dev/null >>"$log" 2>&1 || true # repair an interrupted installation
    apt install -y --no-install-recommends "$@" && return
    apt update || true
    apt install -y --no-install-recommends "$@" && return
    for package in "$@"; do
        apt install -y --no-install-recommends "$package" || true
    done
}

disable_services_of() { # disable the services of these packages at the next boot, in systemd and System V
    local service
    for service in "${SERVICES[@]}"; do
        case " $* " in *" ${service%ncsa} "*) ;; *) continue ;; esac
        systemctl disable "$service.service" >>"$log" 2>&1 || true
        update-rc.d "$service" disable >>"$log" 2>&1 || true
    done
}

mapfile -t packages < <(missing)
[ "${#packages[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    exec 9>/run/ordertrack-system-packages.lock
    flock --wait "$MAX_S" 9 || true
    mapfile -t packages < <(missing) # another run may have installed them
    log=$(mktemp)
    if [ "${#packages[@]}" -gt 0 ]; then
        echo "Installing ${packages[*]} (for tests; at most $MAX_S s) ..."
        trap restore_configuration EXIT
        forbid_service_starts
        forbid_main_cluster
        install "${packages[@]}"
        disable_services_of "${packages[@]}"
    fi
    mapfile -t packages < <(missing)
    if [ "${#packages[@]}" -gt 0 ]; then tail -n 5 "$log"; fi
    rm -f "$log"
fi

if [ "${#packages[@]}" -gt 0 ]; then
    echo "Missing system packages: ${packages[*]}. The tests that need them are skipped."
    echo "On Debian or Ubuntu, as root: $0"
fi
