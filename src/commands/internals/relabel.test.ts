import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openLibrary } from "../../native/ffi.ts";
import { openLibc } from "../../native/libc.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { relabel, relabelOverlayMountpoints } from "./relabel.ts";

const canLabel = process.getuid?.() === 0 && openLibrary("libselinux.so.1", {}) !== undefined;

const RULES = [
  "/.* default_t",
  "/ -d root_t",
  "/etc(/.*)? etc_t",
  "/etc/secret -- secret_t",
  "/var -d var_t",
];

/** A system with a policy, unless `config` says otherwise. */
async function systemWith({ config = "SELINUX=enforcing\nSELINUXTYPE=test\n", mounts = "" } = {}) {
  const root = await mkdtemp(join(tmpdir(), "relabel-"));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const it of ["proc/self", "etc/selinux/test/contexts/files", "var", "tree/sub"]) {
    mkdirSync(join(root, it), { recursive: true });
  }
  const contexts = RULES.map((it) =>
    it.replace(/\w+_t$/, "system_u:object_r:$&:s0").replaceAll(" ", "\t"),
  );
  const policy = join(root, "etc/selinux/test/contexts/files/file_contexts");
  writeFileSync(policy, `${contexts.join("\n")}\n`);
  writeFileSync(join(root, "etc/selinux/config"), config);
  writeFileSync(join(root, "proc/self/mountinfo"), mounts);
  writeFileSync(join(root, "proc/self/status"), "Uid:\t0\t0\t0\t0\nCapBnd:\t000001ffffffffff\n");
  return root;
}

const typeOf = (file: string) =>
  openLibc()?.getXattr(file, "security.selinux")?.toString().split(":")[2];

async function play(
  root: string,
  verb: (ctx: ReturnType<typeof scriptedContext>["ctx"]) => Promise<void>,
) {
  const { ctx, transcript } = scriptedContext(root, []);
  await verb(ctx);
  return transcript().trim();
}

test.skipIf(!canLabel)("a tree is labelled as if it were at another place", async () => {
  const root = await systemWith();
  const tree = join(root, "tree");
  await writeFile(join(tree, "secret"), "");
  await symlink("/etc/passwd", join(tree, "link"));
  const run = () => play(root, (ctx) => relabel(ctx, tree, { asPath: "/etc" }));
  expect(await run()).toBe("! relabelled 4 of 4 files");
  const types = ["", "sub", "link", "secret"].map((it) => typeOf(join(tree, it)));
  expect(types).toEqual(["etc_t", "etc_t", "etc_t", "secret_t"]);
  expect(await run()).toBe("! relabelled 0 of 4 files");
});

test.skipIf(!canLabel)("without another place, the real path decides", async () => {
  const root = await systemWith();
  await symlink("tree", join(root, "link"));
  expect(await play(root, (ctx) => relabel(ctx, join(root, "link/sub"), {}))).toBe(
    "! relabelled 1 of 1 files",
  );
  expect(typeOf(join(root, "tree/sub"))).toBe("default_t");
  expect(typeOf(join(root, "tree"))).toBeUndefined();
});

test.skipIf(!canLabel)("of a link, only the link itself is labelled", async () => {
  const root = await systemWith();
  await symlink("tree", join(root, "link"));
  await play(root, (ctx) => relabel(ctx, join(root, "link"), { asPath: "/etc/link" }));
  expect([typeOf(join(root, "link")), typeOf(join(root, "tree"))]).toEqual(["etc_t", undefined]);
});

test.each([
  { what: "a relative place", asPath: "etc", path: "tree", says: "`etc` is not an absolute path" },
  { what: "nothing", asPath: "/etc", path: "none", says: "relabelling `" },
])("$what is refused", async ({ asPath, path, says }) => {
  const root = await systemWith();
  const { ctx } = scriptedContext(root, []);
  await expect(relabel(ctx, join(root, path), { asPath })).rejects.toThrow(says);
});

test("a system without a policy cannot label", async () => {
  const root = await systemWith({ config: "SELINUX=disabled\nSELINUXTYPE=test\n" });
  const { ctx } = scriptedContext(root, []);
  const wanted = expect.objectContaining({ kind: "unsupported" });
  await expect(relabel(ctx, join(root, "tree"), {})).rejects.toEqual(wanted);
  await relabelOverlayMountpoints(ctx);
});

test.skipIf(!canLabel)("only writable overlays get the label of their mount point", async () => {
  const mounts = [
    "30 1 0:30 / / rw - overlay composefs rw",
    "31 30 0:31 / /etc rw - overlay overlay rw",
    "32 31 8:1 / /etc rw - ext4 /dev/sda1 rw",
    "33 30 0:33 / /var ro - overlay overlay rw",
  ]
    .map((it) => `${it}\n`)
    .join("");
  const root = await systemWith({ mounts });
  expect(await play(root, (ctx) => relabelOverlayMountpoints(ctx))).toBe("! relabelled `/`");
  const types = ["", "etc", "var", "tree"].map((it) => typeOf(join(root, it)));
  expect(types).toEqual(["root_t", undefined, undefined, undefined]);
});
