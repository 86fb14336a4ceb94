import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createContext } from "../../src/system/run.ts";
import { decideInstaller, ensurePrograms } from "./requirements.ts";

const root = mkdtempSync(join(tmpdir(), "requirements-test-"));
afterAll(() => rmSync(root, { recursive: true }));

test.each([
  { osRelease: "ID=debian\n", want: "apt-get" },
  { osRelease: 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n', want: "apt-get" },
  { osRelease: "ID=fedora\n", want: "dnf" },
  { osRelease: 'ID="centos"\nID_LIKE="rhel fedora"\n', want: "dnf" },
  { osRelease: "ID=plan9\n", want: undefined },
])("$osRelease is served by $want", ({ osRelease, want }) => {
  expect(decideInstaller(osRelease)?.program).toBe(want);
});

function treeWith(id: string) {
  mkdirSync(join(root, "etc"), { recursive: true });
  writeFileSync(join(root, "etc/os-release"), `ID=${id}\n`);
  const ctx = createContext({ root, env: { PATH: "/nowhere" } });
  return { ctx, top: root, mayInstall: false };
}

test.each([
  { id: "debian", want: "run `apt-get install --yes --no-install-recommends rpm git` as root" },
  { id: "fedora", want: "run `dnf install -y rpm-build git-core` as root" },
  { id: "plan9", want: "install what provides `rpmbuild`, `git` on this system" },
])("on $id the error says: $want", async ({ id, want }) => {
  const error = await ensurePrograms(treeWith(id), ["rpmbuild", "git"]).catch((it) => it);
  expect(error.message).toBe("`rpmbuild`, `git` are not installed");
  expect(error.hint).toContain(want);
});

test("what has no package is named apart from what can be installed", async () => {
  const error = await ensurePrograms(treeWith("fedora"), ["linux.uml", "git"]).catch((it) => it);
  expect(error.hint).toBe(
    "run `dnf install -y git-core` as root, or run this again with --yes; " +
      "also install what provides `linux.uml` on this system",
  );
});
