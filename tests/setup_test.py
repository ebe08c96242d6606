#!/usr/bin/env python3
"""tools/setup.sh against false dpkg-query, apt-get, sudo and id: what it runs, what it says, how it ends."""

import os
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

SETUP = Path(__file__).resolve().parent.parent / "tools/setup.sh"

# dpkg-query prints one "status:name:architecture" for each package that is not in $ABSENT, where this machine's is
# amd64; dpkg knows the other architectures $FOREIGN. All others log their call.
DPKG_QUERY = """#!/bin/sh
shift 3
for package in "$@"; do
  case " $ABSENT " in *" $package "*) continue ;; esac
  case $package in *:*) printf 'installed:%s ' "$package" ;; *) printf 'installed:%s:amd64 ' "$package" ;; esac
done
"""
DPKG = """#!/bin/sh
case $1 in
  --print-architecture) echo amd64 ;;
  --print-foreign-architectures) for one in $FOREIGN; do echo $one; done ;;
  *) echo "dpkg $*" >> "$LOG" ;;
esac
"""
LOGGED = '#!/bin/sh\necho "{name} $*" >> "$LOG"\n{rest}\n'


class Setup(unittest.TestCase):
    def run_setup(self, *arguments, absent="", uid=0, have=("dpkg-query", "apt-get"), apt_status=0, **environment):
        with tempfile.TemporaryDirectory() as folder:
            bin_folder, log = Path(folder) / "bin", Path(folder) / "log"
            bin_folder.mkdir()
            scripts = {
                "dpkg-query": DPKG_QUERY,
                "dpkg": DPKG,
                "id": f"#!/bin/sh\necho {uid}\n",
                "apt-get": LOGGED.format(name="apt-get", rest=f"exit {apt_status}"),
                "sudo": LOGGED.format(name="sudo", rest='[ "$1" != -n ] || shift; exec "$@"'),
            }
            for name in (*have, "id", "dpkg"):
                (bin_folder / name).write_text(scripts[name])
                (bin_folder / name).chmod(stat.S_IRWXU)
            for tool in ("sh", "env", "sed", "cat", "grep"):
                (bin_folder / tool).symlink_to(f"/usr/bin/{tool}")
            done = subprocess.run(
                ["/bin/sh", str(SETUP), *arguments], capture_output=True, text=True, check=False,
                stdin=subprocess.DEVNULL,
                env={"PATH": str(bin_folder), "ABSENT": absent, "LOG": str(log), **environment})
            calls = log.read_text().splitlines() if log.exists() else []
            return done.returncode, done.stderr, calls

    def test_does_nothing_when_all_are_there(self):
        self.assertEqual(self.run_setup(), (0, "", []))

    def test_installs_what_is_missing_and_says_so(self):
        status, said, calls = self.run_setup(absent="libhwy-dev ccache")
        self.assertEqual(status, 0)
        self.assertIn("installing ccache libhwy-dev", said)
        self.assertEqual(calls, ["apt-get -q update",
                                 "apt-get -q install -y --no-install-recommends ccache libhwy-dev"])

    def test_check_only_says_it(self):
        status, said, calls = self.run_setup("--check", absent="libhwy-dev")
        self.assertEqual((status, calls), (1, []))
        self.assertIn("missing: libhwy-dev", said)
        self.assertEqual(self.run_setup("--check"), (0, "", []))

    def test_developers_get_more(self):
        self.assertEqual(self.run_setup(absent="clang-19"), (0, "", []))
        _, said, _ = self.run_setup("--dev", absent="clang-19")
        self.assertIn("installing clang-19", said)

    def test_arm_gets_packages_of_another_architecture(self):
        self.assertEqual(self.run_setup(absent="qemu-user libhwy-dev:arm64"), (0, "", []))
        self.assertEqual(self.run_setup("--arm"), (0, "", []))
        install = "apt-get -q install -y --no-install-recommends qemu-user libhwy-dev:arm64"
        _, said, calls = self.run_setup("--arm", absent="qemu-user libhwy-dev:arm64")
        self.assertIn("installing qemu-user libhwy-dev:arm64", said)
        self.assertEqual(calls, ["dpkg --add-architecture arm64", "apt-get -q update", install])
        _, _, calls = self.run_setup("--arm", absent="qemu-user libhwy-dev:arm64", FOREIGN="i386 arm64")
        self.assertEqual(calls, ["apt-get -q update", install])

    def test_another_architecture_is_not_this_machines(self):
        _, said, _ = self.run_setup("--arm", absent="libhwy-dev")
        self.assertIn("installing libhwy-dev\n", said)

    def test_uses_sudo_without_asking_where_nobody_can_answer(self):
        status, _, calls = self.run_setup(absent="ccache", uid=1000, have=("dpkg-query", "apt-get", "sudo"))
        self.assertEqual(status, 0)
        self.assertEqual(calls[0], "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get -q update")

    def test_says_what_to_do_without_rights(self):
        status, said, calls = self.run_setup(absent="ccache", uid=1000)
        self.assertEqual((status, calls), (1, []))
        self.assertEqual(said.count("\n"), 1)
        self.assertIn("As root: apt-get install ccache", said)

    def test_says_what_to_do_without_apt(self):
        status, said, _ = self.run_setup(absent="ccache", have=("dpkg-query",))
        self.assertEqual(status, 1)
        self.assertIn("As root: apt-get install ccache", said)

    def test_says_what_to_do_on_another_system(self):
        status, said, _ = self.run_setup(have=())
        self.assertEqual(status, 1)
        self.assertIn("HERD_SKIP_SETUP=1", said)
        self.assertEqual(self.run_setup(have=(), HERD_SKIP_SETUP="1"), (0, "", []))

    def test_reports_a_failure_of_apt(self):
        status, said, _ = self.run_setup(absent="ccache", apt_status=100)
        self.assertEqual(status, 1)
        self.assertIn("apt-get failed", said)

    def test_refuses_unknown_arguments(self):
        status, said, _ = self.run_setup("--devel")
        self.assertEqual(status, 2)
        self.assertIn("wanted --check, --dev, --arm or --help", said)


if __name__ == "__main__":
    unittest.main()
