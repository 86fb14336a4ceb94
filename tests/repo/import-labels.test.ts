// Derived layers that we label ourselves equal those that `ostree commit --selinux-policy` labels.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FileLabels, openFileLabels } from "../../src/native/selabel.ts";
import type { LabelOf } from "../../src/pull/store/sink.ts";
import { CAPABILITY } from "./images/derived.ts";
import { dir, file, hardlink, makeTar, symlink, type TestEntry } from "./images/tar-writer.ts";
import { allOstreeVersions, describeEachOstree } from "./ostree-versions.ts";
import { contextWith, createTestRepo, importBlob, rootsOf, type TestRepo } from "./test-repo.ts";

const RULES = `/.*\t\tsystem_u:object_r:default_t:s0
/\t-d\tsystem_u:object_r:root_t:s0
/usr(/.*)?\t\tsystem_u:object_r:usr_t:s0
/usr/(s)?bin(/.*)?\t\tsystem_u:object_r:bin_t:s0
/usr/bin/.+\t-l\tsystem_u:object_r:link_t:s0
/usr/bin/one\t--\tsystem_u:object_r:one_t:s0:c0.c1023
/usr/bin/other\t--\tsystem_u:object_r:other_t:s0
/usr/etc(/.*)?\t\tsystem_u:object_r:etc_t:s0
/usr/made/up\t-d\tsystem_u:object_r:made_t:s0
/usr/none(/.*)?\t\t<<none>>
/mnt\t-d\tsystem_u:object_r:mnt_t:s0
`;

/** Of the host that built the layer. */
const BUILT = { "security.selinux": "build_u:object_r:x_t:s0\0" };

const LAYER: readonly TestEntry[] = [
  dir("usr/bin", { mode: 0o750, uid: 3, xattrs: BUILT }),
  file("usr/bin/one", "same", { mode: 0o755, xattrs: BUILT }),
  file("usr/bin/other", "same", { mode: 0o755, xattrs: { "security.capability": CAPABILITY } }),
  hardlink("usr/first", "usr/bin/one"),
  hardlink("usr/bin/again", "usr/bin/other"),
  symlink("usr/bin/link", "one", { uid: 7, xattrs: BUILT }),
  hardlink("usr/link", "usr/bin/link"),
  file("usr/bin/.wh.gone"),
  dir("usr/none", { xattrs: BUILT }),
  file("usr/none/file", "x", { xattrs: BUILT }),
  symlink("usr/none/link", "x"),
  file("usr/made/up/here", Buffer.alloc(100_000, "large")),
  file("etc/shadow", "root:*", { mode: 0 }),
  dir("proc"),
  file("var/lib/x", "x", { gid: 4 }),
  file("opt/x", "x"),
];

describeEachOstree((ostree) => {
  let ours: TestRepo;
  let theirs: TestRepo;
  let labels: FileLabels | undefined;
  let selinuxPolicyDir: string;
  beforeEach(() => {
    ours = createTestRepo(ostree);
    theirs = createTestRepo(ostree);
    selinuxPolicyDir = writePolicy(ours.work);
    labels = openFileLabels(join(selinuxPolicyDir, "usr/etc/selinux/test"));
  });
  afterEach(() => {
    labels?.close();
    ours.remove();
    theirs.remove();
  });

  const labelOf: LabelOf = (path, mode) => {
    const label = labels?.lookUp(path, mode);
    return label === undefined ? undefined : Buffer.from(`${label}\0`);
  };

  test.runIf(openDoor())("the same labels on the same objects", async () => {
    const withoutCommit = contextWith(ostree, ours, '[ "$1" != commit ] || exit 99');
    const tar = makeTar(LAYER);
    const { commit } = await importBlob({ ...ours, ctx: withoutCommit }, tar, {
      ...{ selinuxPolicyDir, labelOf },
      writer: "ours",
    });
    const other = await importBlob(theirs, tar, { selinuxPolicyDir, writer: "ostree" });
    const list = (it: TestRepo, commit: string) => it.ostree("ls", "-R", "-X", "-C", commit);
    expect(list(ours, commit)).toBe(list(theirs, other.commit));
    expect(rootsOf(ours, commit)).toEqual(rootsOf(theirs, other.commit));
    for (const it of [ours, theirs]) it.ostree("fsck", "--quiet");
  });

  test.runIf(openDoor())("labels beside other attributes are sorted, and intact", async () => {
    const xattrs = { "user.z": "z", "trusted.a": "a", "user.a": "a" };
    const tar = makeTar([
      dir("usr/bin", { xattrs }),
      file("usr/bin/one", "x", { xattrs }),
      symlink("usr/bin/link", "one", { xattrs: { "trusted.a": "a" } }),
    ]);
    const { commit } = await importBlob(ours, tar, {
      ...{ selinuxPolicyDir, labelOf },
      writer: "ours",
    });
    const [line = ""] = ours.ostree("ls", "-X", commit, "/usr/bin/one").split("\n");
    const names = [...line.matchAll(/b'((?:security|trusted|user)\.\w+)'/g)].map(([, it]) => it);
    expect(names).toEqual(["security.selinux", "trusted.a", "user.a", "user.z"]);
    ours.ostree("fsck", "--quiet");
  });

  test("without a way to look labels up, ostree labels the layer", async () => {
    const tar = makeTar(LAYER);
    const { commit } = await importBlob(ours, tar, { selinuxPolicyDir });
    const other = await importBlob(theirs, tar, { selinuxPolicyDir, writer: "ostree" });
    expect(rootsOf(ours, commit)).toEqual(rootsOf(theirs, other.commit));
  });
}, allOstreeVersions());

function openDoor(): boolean {
  return !process.env.BOOTC_WITHOUT_FFI;
}

/** A directory as `readDerivedSettings` makes it. */
function writePolicy(work: string): string {
  const root = join(work, "policy");
  const selinux = join(root, "usr/etc/selinux");
  mkdirSync(join(selinux, "test/contexts/files"), { recursive: true });
  mkdirSync(join(selinux, "test/policy"));
  writeFileSync(join(selinux, "config"), "SELINUX=enforcing\nSELINUXTYPE=test\n");
  writeFileSync(join(selinux, "test/policy/policy.33"), "");
  writeFileSync(join(selinux, "test/contexts/files/file_contexts"), RULES);
  return root;
}
