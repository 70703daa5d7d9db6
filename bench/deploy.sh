#!/usr/bin/env bash
# What one would do by hand: fetch the pull request, build, run, ask until it answers with the change.
#   deploy.sh REPOSITORY-URL FOLDER NUMBER PORT TEXT DOCKER SERVICE-FOLDER...
set -euo pipefail
url=$1 folder=$2 number=$3 port=$4 text=$5 docker=$6
shift 6
[ -d "$folder" ] || git clone -q -- "$url" "$folder"
git -C "$folder" fetch -q origin "refs/pull/$number/head"
git -C "$folder" checkout -q --force FETCH_HEAD
name=bench-${folder##*/}
at=$port
for service in "$@"; do
    tag=$name-${service//./main}
    DOCKER_BUILDKIT=1 "$docker" build -q --label revieee.bench=1 --tag "$tag" "$folder/$service" >/dev/null
    "$docker" rm --force "$tag" >/dev/null 2>&1 || true
    "$docker" run --detach --name "$tag" --label revieee.bench=1 --publish "127.0.0.1:$at:80" "$tag" >/dev/null
    at=$((at + 1))
done
until [ "$(curl -fs "http://127.0.0.1:$port/")" = "$text" ]; do sleep 0.005; done
