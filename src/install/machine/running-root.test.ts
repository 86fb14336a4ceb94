import { mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { isRunningRoot, requireOtherStateroot } from "./running-root.ts";

const CMDLINE = `root=UUID=1 ostree=/ostree/boot.1/default/${"a".repeat(64)}/0 quiet\n`;

/** A container with its own files, on a host with others. The file systems are those of this machine. */
async function containerOn(
  host: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>> = {},
) {
  const root = await mkdtemp(join(tmpdir(), "container-"));
  const files = { "proc/cmdline": CMDLINE, ...own };
  const onHost = Object.entries(host).map(([path, text]) => [join("host", path), text] as const);
  for (const [path, text] of [...Object.entries(files), ...onHost]) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  await mkdir(join(root, "proc/1"));
  await mkdir(join(root, "host"), { recursive: true });
  await symlink("../../host", join(root, "proc/1/root"));
  return { root, ctx: scriptedContext(root, []).ctx };
}

test("the stateroot of the running system is refused, even in a container with its own /run", async () => {
  const { ctx } = await containerOn({ "run/ostree-booted": "" });
  await expect(requireOtherStateroot(ctx, "default")).rejects.toThrow(
    "Cannot redeploy over booted stateroot default",
  );
  await requireOtherStateroot(ctx, "other");
});

test("a host that is not an ostree system has no stateroot, whatever the container's /run contains", async () => {
  const { ctx } = await containerOn({}, { "run/ostree-booted": "" });
  await requireOtherStateroot(ctx, "default");
});

test("the running root is known by its own file system or by that of its physical root", async () => {
  const { ctx, root } = await containerOn({});
  expect(await isRunningRoot(ctx, ["/proc"])).toBe(false);
  expect(await isRunningRoot(ctx, ["/proc", root])).toBe(true);
  // With composefs, `/` is another file system than `/sysroot`.
  await symlink("/proc", join(root, "host/sysroot"));
  expect(await isRunningRoot(ctx, ["/proc"])).toBe(true);
});
