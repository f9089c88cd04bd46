#!/usr/bin/env bash
# Makes one self-contained archive for linux-x64: the command line, the tests of the CUDA kernels and the step profiler.
# It runs on a machine that has nothing but the NVIDIA driver (and, without one, on the CPU).
#   tools/pack.sh [FOLDER]     default: artifacts
set -euo pipefail
cd "$(dirname "$0")/.."

output=$(realpath -m "${1:-artifacts}")
name=puresharp-linux-x64
folder=$output/$name
rm -rf "$folder" "$output/$name.tar.xz"
mkdir -p "$folder"

for project in tools/Cli perf/StepProfiler tests/PureSharpQLoRA.Cuda.Tests; do
    # One folder, so that all three share the runtime.
    dotnet publish "$project" -c Release -r linux-x64 --self-contained -o "$folder" -p:PublishSingleFile=false -p:PublishDocumentationFiles=false \
        -p:NuGetLockFilePath=obj/pack.lock.json -p:ErrorOnDuplicatePublishOutputFiles=false -v quiet -nologo
done

cp LICENSE README.md "$folder/"
cat > "$folder/START.txt" <<'TEXT'
./puresharp devices                          what can be computed on here
./puresharp demo                             a small model trains in half a minute
./puresharp train --help                     fine-tunes a model folder; --device cuda computes on the card
./PureSharpQLoRA.Cuda.Tests --filter-class '*Card*'     every kernel on the card, against double precision
./PureSharpQLoRA.StepProfiler --device cuda --shape 1.1b    where the time of a training step goes
TEXT

tar --sort=name --owner=0 --group=0 --numeric-owner -C "$output" -cf - "$name" | xz -T0 -6 > "$output/$name.tar.xz"
bytes=$(stat -c %s "$output/$name.tar.xz")
echo "$output/$name.tar.xz: $((bytes / 1000000)) MB"
if [ "$bytes" -gt 60000000 ]; then
    echo "The archive is larger than 60 MB." >&2
    exit 1
fi
