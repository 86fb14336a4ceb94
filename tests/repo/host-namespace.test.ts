import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ENTRY = join(import.meta.dirname, "../../src/entry.ts");

/** Runs `words` from a mount namespace that differs from the one of its process 1, which has a marked /mnt. */
function fromContainer(...words: readonly string[]) {
  const inside = 'mount -t tmpfs none /mnt && mkdir /mnt/container && cd /mnt && "$@"';
  const host = `mount -t tmpfs none /mnt && mkdir /mnt/host &&
    { unshare --mount sh -c '${inside}' sh "$@"; status=$?; exit $status; }`;
  const args = ["--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", host, "sh"];
  const bootc = [process.execPath, ENTRY, "exec-in-host-mount-namespace"];
  return spawnSync("unshare", [...args, ...bootc, ...words], { encoding: "utf8", input: "in\n" });
}

describe.skipIf(process.getuid?.() !== 0)("exec-in-host-mount-namespace", () => {
  test("the command sees the host's mounts, from the host's root", () => {
    const { status, stdout, stderr } = fromContainer("sh", "-c", "ls /mnt; pwd; cat");
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "host\n/\nin\n", stderr: "" });
  });

  test("options after the command are the command's, and so is the status", () => {
    const { status, stdout } = fromContainer(
      "sh",
      "-c",
      'echo "$@"; exit 42',
      "sh",
      "--verbose",
      "-h",
      "--",
    );
    expect([status, stdout]).toEqual([42, "--verbose -h --\n"]);
  });

  test("signals that Node ignores are not ignored", () => {
    const { stdout } = fromContainer("grep", "SigIgn", "/proc/self/status");
    expect(stdout).toMatch(/^SigIgn:\s+0+\n$/);
  });

  test("a command that the host lacks, and a missing one", () => {
    expect(fromContainer("nonexistent-command").status).toBe(127);
    expect(fromContainer().status).toBe(2);
  });
});
