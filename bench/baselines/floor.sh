#!/bin/bash
# Baseline (b), the floor: stock tools download, decompress and hash the same bytes and write plain files,
# with both cores busy. Nothing is merged, and the result cannot be booted.
#
#   floor.sh DIRECTORY BLOB_URL_PREFIX LAYER_LIST
#
# DIRECTORY        created by this script, with one directory for each layer
# BLOB_URL_PREFIX  for instance http://127.0.0.1:5000/v2/bench/blobs
# LAYER_LIST       a file with one layer digest per line
#
# Ends like the others with everything on the disk (sync of the file system).
set -euo pipefail
export out=$1 prefix=$2
layers=$3
mkdir -p "$out"

unpack() {
  set -euo pipefail
  local dir=$out/${1#sha256:}
  mkdir "$dir"
  curl --silent --fail --location "$prefix/$1" |
    tee >(sha256sum >"$dir.sum") |
    gzip --decompress --stdout |
    tar --extract --numeric-owner --same-owner --directory="$dir"
}
export -f unpack

# Six downloads at once feed as many unpackers; the kernel shares the cores among them.
xargs --max-procs=6 --replace=DIGEST bash -c 'unpack "$1"' bash DIGEST <"$layers"
sync --file-system "$out"
