#!/bin/sh
# nchan from Debian's (or Ubuntu's) own packages, for `make bench`. Downloads and unpacks into bench/.peers/nchan: needs no
# root, changes nothing in the system and starts no service. apt checks the packages' signatures and hashes.
set -eu
cd "$(dirname "$0")/.."
command -v apt-get >/dev/null || { echo "no apt-get here: nchan is measured on Debian and Ubuntu only" >&2; exit 1; }
to=.peers/nchan
rm -rf "$to" && mkdir -p "$to/packages"
cd "$to/packages"
download() { apt-get "$@" download nginx libnginx-mod-nchan; }
with_own_lists() { # a new machine has no lists of packages, and the system's need root
    mkdir -p lists/partial cache/archives/partial
    set -- -o Dir::State::lists="$PWD/lists" -o Dir::Cache="$PWD/cache"
    apt-get "$@" update && download "$@"
}
download >apt.log 2>&1 || with_own_lists >>apt.log 2>&1 || { cat apt.log >&2; exit 1; }
rm -rf lists cache
cd ..
for package in packages/*.deb; do dpkg-deb -x "$package" .; done
test -x usr/sbin/nginx || { echo "the package nginx has no usr/sbin/nginx here" >&2; exit 1; }
test -f usr/lib/nginx/modules/ngx_nchan_module.so || { echo "the package has no ngx_nchan_module.so" >&2; exit 1; }
usr/sbin/nginx -v
