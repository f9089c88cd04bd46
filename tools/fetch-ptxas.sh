#!/usr/bin/env bash
# Unpacks NVIDIA's assembler and disassembler (ptxas, cuobjdump, nvdisasm) from the distribution's own package, without installing it and
# without root, and prints the folder they lie in. For perf/Kernels and the tests: PURESHARP_PTXAS="$(tools/fetch-ptxas.sh)".
# Usage: tools/fetch-ptxas.sh [DIR]    (default: ~/.cache/puresharp/cuda)
set -euo pipefail

package=nvidia-cuda-toolkit
target=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/puresharp/cuda}
bin=$target/usr/bin

fail() {
    echo "fetch-ptxas: $1" >&2
    exit 1
}

if [[ -x $bin/ptxas && -x $bin/cuobjdump ]]; then
    echo "$bin"
    exit 0
fi

for tool in apt-get apt-cache dpkg; do
    command -v "$tool" > /dev/null || fail "$tool is missing: ptxas is taken from the Debian package $package; install the CUDA toolkit and put ptxas on the PATH instead"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
options=()
if ! apt-cache policy "$package" 2> /dev/null | grep -q 'Candidate: [0-9]'; then
    # The component that holds it is not enabled here: ask the same mirror for it, with lists and a cache of our own.
    [[ -r /etc/os-release ]] || fail "no candidate for $package, and no /etc/os-release to name its component; enable it in your sources"
    . /etc/os-release
    case $ID in
        debian) component=non-free ;;
        ubuntu) component=multiverse ;;
        *) fail "no candidate for $package on $ID; enable the component that holds it in your sources" ;;
    esac
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2> /dev/null | grep -E '/(debian|ubuntu)/?$' | head -n 1 || true)
    [[ -n $mirror ]] || mirror=$(grep -rhoE 'https?://[^ ]+/(debian|ubuntu)/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2> /dev/null | head -n 1 | tr -d ' ' || true)
    [[ -n $mirror ]] || fail "no mirror of $ID was found in /etc/apt"
    keyring=$(ls /usr/share/keyrings/"$ID"-archive-keyring.gpg 2> /dev/null || true)
    mkdir -p "$work"/state/lists/partial "$work"/cache/archives/partial
    echo "deb ${keyring:+[signed-by=$keyring] }$mirror $VERSION_CODENAME $component" > "$work"/sources.list
    options=(-o "Dir::Etc::sourcelist=$work/sources.list" -o "Dir::Etc::sourceparts=-" -o "Dir::State::lists=$work/state/lists" -o "Dir::Cache=$work/cache")
    apt-get "${options[@]}" -qq update > "$work"/log 2>&1 || fail "the lists of $mirror ($component) could not be read: $(tail -n 1 "$work"/log)"
fi

(cd "$work" && apt-get "${options[@]}" -qq download "$package" > "$work"/log 2>&1) || fail "$package could not be downloaded: $(tail -n 1 "$work"/log)"
mkdir -p "$target"
dpkg -x "$work"/"$package"_*.deb "$target" || fail "$package could not be unpacked into $target"
[[ -x $bin/ptxas && -x $bin/cuobjdump ]] || fail "$package has no ptxas and cuobjdump in usr/bin"
echo "$bin"
