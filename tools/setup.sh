# shellcheck shell=bash disable=SC2034  # the lists are for those who source it
# Sourced by the scripts beside it: installs what is missing, configures and builds. They have
# changed to the repository root.

build_packages=(g++ cmake ninja-build libspdlog-dev libcli11-dev nlohmann-json3-dev zlib1g-dev
                libdeflate-dev libpng-dev libcurl4-openssl-dev libssl-dev libboost-dev ca-certificates)
report_packages=(gnuplot-nox)  # run by digitron report
test_packages=(libgtest-dev libgmock-dev python3 git)  # python3: of tools/gpu_check; git: of build_commit
browser_packages=(chromium)  # of the tests that open a report; where it is only a snap, they are skipped
manual_packages=(help2man)  # of cmake --install
interchange_packages=(python3-onnx python3-venv python3-torch)  # of tools/to_onnx and tests/example
slurm_packages=(slurmctld slurmd slurm-client munge)  # of tools/try_slurm
style_packages=(clang-format-14 clang-tidy-14)
fuzz_packages=(clang libclang-rt-dev)  # of the system's own version; the second has libFuzzer

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# quietly WHAT COMMAND...: says WHAT, and shows the command's output only when it fails.
quietly() {
  local what=$1 output code=0
  shift
  echo "$what ..." >&2
  output=$("$@" 2>&1) || code=$?
  ((code == 0)) && return
  printf '%s\n' "$output" >&2
  fail "$what failed with exit code $code"
}

# install PACKAGE...: installs those that are not there.
install() {
  [[ -z ${DIGITRON_SKIP_INSTALL-} ]] || return 0
  local advice="then set DIGITRON_SKIP_INSTALL=1 and call again"
  command -v apt-get >/dev/null || fail "no apt-get here; install what Debian calls $*, $advice"

  local missing
  mapfile -t missing < <(comm -23 <(printf '%s\n' "$@" | sort) <(installed "$@" | sort))
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || command -v sudo >/dev/null ||
    fail "not root and no sudo here; install ${missing[*]}, $advice"
  quietly "Updating the package lists" apt update
  quietly "Installing ${missing[*]}" apt install "${missing[@]}"
}

# apt COMMAND...: apt-get, as root. --no-remove: nothing that is there goes away to make room for ours.
apt() {
  local sudo=()
  ((EUID == 0)) || sudo=(sudo)
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends --no-remove "$@"
}

# install_known PACKAGE...: installs them where the system has packages of all these names.
install_known() {
  [[ -z ${DIGITRON_SKIP_INSTALL-} ]] && command -v apt-get >/dev/null || return 0
  (($(installed "$@" | wc -l) < $#)) || return 0
  [[ -n $(known cmake) ]] || quietly "Updating the package lists" apt update
  (($(known "$@" | wc -l) < $#)) || install "$@"
}

# known PACKAGE...: those of them that apt's lists have.
known() {
  { apt-cache madison "$@" 2>/dev/null || true; } | sed -E 's/^ *([^ ]+) .*/\1/' | sort -u
}

# installed PACKAGE...: those of them that are.
installed() {
  dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p'
}

# configure FOLDER OPTION...: a Release build, unless FOLDER has one of this checkout.
configure() {
  local folder=$1
  shift
  [[ -f $folder/build.ninja ]] &&
    grep -qFx "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$folder/CMakeCache.txt" && return
  quietly "Configuring $folder" cmake --fresh -S . -B "$folder" -G Ninja \
    -DCMAKE_BUILD_TYPE=Release "$@"
}

# build FOLDER TARGET: says nothing when there is nothing to do.
build() {
  ninja -C "$1" -n "$2" 2>/dev/null | grep -q '^ninja: no work to do' && return
  quietly "Building $2 in $1" cmake --build "$1" --target "$2"
}

# at_fixed_addresses SCRIPT ARGUMENT...: starts the script that calls it anew where that is needed
# and allowed. Newer kernels spread a process wider than the sanitizers of g++ 13, of clang 14 and
# before can follow.
at_fixed_addresses() {
  if grep -qs '^...0....$' /proc/self/personality && setarch --addr-no-randomize true 2>/dev/null; then
    exec setarch --addr-no-randomize "$@"
  fi
}

# Is there a clang++ with libFuzzer?
can_fuzz() {
  clang++ -fsanitize=fuzzer,address -xc++ - -o /dev/null &>/dev/null <<'END'
extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }
END
}
