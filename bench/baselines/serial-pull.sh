#!/bin/sh
# Baseline (a), the usual way to work: stock tools fetch and import layers strictly one after another, then
# merge them by checking out all of them and committing the directory.
#
#   serial-pull.sh REPO IMAGE LAYER_LIST
#
# REPO        an ostree repository (mode bare), created when missing
# IMAGE       as skopeo names it, for instance docker://127.0.0.1:5000/bench:64
# LAYER_LIST  a file with one layer digest per line, in manifest order
#
# Layers that already have a ref are not fetched again, so a second call with a changed image is an update.
set -eu
repo=$1 image=$2 layers=$3
tls="--tls-verify=false"
[ -e "$repo/config" ] || ostree init --repo="$repo" --mode=bare

work=$(mktemp -d "$repo/tmp/serial-XXXXXX")
trap 'rm -rf "$work"' EXIT

while read -r digest; do
  ref="bench/layer/${digest#sha256:}"
  if ostree rev-parse --repo="$repo" "$ref" >/dev/null 2>&1; then continue; fi
  (cd "$work" && skopeo layers $tls "$image" "$digest" >/dev/null)
  blob=$(find "$work" -type f -name "${digest#sha256:}*")
  gzip --decompress --stdout <"$blob" |
    ostree commit --repo="$repo" --branch="$ref" --no-bindings --tar-autocreate-parents \
      --tar-pathname-filter='^etc/,usr/etc/' --tree=tar=/dev/stdin >/dev/null
  rm -rf "$work"/*
done <"$layers"

while read -r digest; do
  ostree checkout --repo="$repo" --union --whiteouts -H "bench/layer/${digest#sha256:}" "$work/root"
done <"$layers"
ostree commit --repo="$repo" --branch=bench/image --no-bindings --link-checkout-speedup \
  --tree=dir="$work/root"
