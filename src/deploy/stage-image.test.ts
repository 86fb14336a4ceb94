import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Deployment } from "../host/deployment.ts";
import { parseConfig } from "../image/config.ts";
import { EMPTY_COMMIT, EMPTY_COMMIT_FILES } from "../testing/empty-commit.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { decideKargs, describeContent } from "./stage-image.ts";

const NOBODY = new Map<string, string>();

const BOOTED: Deployment = {
  stateroot: "default",
  checksum: "a".repeat(64),
  serial: 0,
  bootChecksum: "b".repeat(64),
  isStaged: false,
  isBooted: true,
  isPinned: false,
  isSuperseded: false,
  isLocked: false,
  unlocked: "none",
  bootOptions: "root=UUID=1 ostree=/ostree/boot.0/default/b/0 quiet",
  softRebootObstacle: "systemd is older than 254",
  origin: { image: undefined, refspec: undefined, isIncompatible: false },
  content: undefined,
  cachedUpdate: undefined,
  problems: [],
};

/** A host whose booted image asks for `quiet`, and a commit that asks for nothing. */
async function layOut(kargs: string): Promise<{ readonly root: string; readonly commit: string }> {
  const root = await mkdtemp(join(tmpdir(), "stage-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const write = async (path: string, content: string | Uint8Array) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  };
  const deployment = `sysroot/ostree/deploy/default/deploy/${BOOTED.checksum}.0`;
  await write(`${deployment}/usr/lib/bootc/kargs.d/10.toml`, kargs);
  for (const [path, bytes] of Object.entries(EMPTY_COMMIT_FILES)) {
    await write(`sysroot/ostree/repo/${path}`, bytes);
  }
  return { root, commit: EMPTY_COMMIT };
}

test("arguments that only the old image asked for go, those of the host stay", async () => {
  const { root, commit } = await layOut('kargs = ["quiet"]\n');
  const { ctx } = scriptedContext(root, []);
  expect(await decideKargs(ctx, BOOTED, { commit, owners: NOBODY })).toEqual(["root=UUID=1"]);
});

test("a directory and a link to nothing beside the image's files take nothing from them", async () => {
  const { root, commit } = await layOut('kargs = ["quiet"]\n');
  const deployment = join(root, `sysroot/ostree/deploy/default/deploy/${BOOTED.checksum}.0`);
  const dir = join(deployment, "usr/lib/bootc/kargs.d");
  await mkdir(join(dir, "20.toml"));
  await symlink("20.toml", join(dir, "30.toml"));
  await symlink("nowhere", join(dir, "40.toml"));
  const { ctx } = scriptedContext(root, []);
  expect(await decideKargs(ctx, BOOTED, { commit, owners: NOBODY })).toEqual(["root=UUID=1"]);
});

test("what programs asked for since the boot is added, even if the image no longer asks for it", async () => {
  const { root, commit } = await layOut('kargs = ["quiet"]\n');
  const { ctx } = scriptedContext(root, []);
  const owners = new Map([["x-options-source-a", "nohz=on quiet"]]);
  expect(await decideKargs(ctx, BOOTED, { commit, owners })).toEqual([
    "root=UUID=1",
    "nohz=on",
    "quiet",
  ]);
});

test("a command line that cannot be read is never made anew", async () => {
  const { root, commit } = await layOut('kargs = ["quiet"]\n');
  const { ctx } = scriptedContext(root, []);
  await expect(
    decideKargs(ctx, { ...BOOTED, bootOptions: undefined }, { commit, owners: NOBODY }),
  ).rejects.toThrow("the kernel arguments of the booted deployment cannot be read");
});

test("where the images ask for the same, ostree may pass on what we cannot read", async () => {
  const { root, commit } = await layOut("kargs = []\n");
  const { ctx } = scriptedContext(root, []);
  expect(
    await decideKargs(ctx, { ...BOOTED, bootOptions: undefined }, { commit, owners: NOBODY }),
  ).toBeUndefined();
});

test("a version label is one line, and does not command the terminal", () => {
  const config = parseConfig(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Labels: { "org.opencontainers.image.version": "42\u001b[2J\n  Digest: x" } },
      rootfs: { type: "layers", diff_ids: [] },
    }),
  );
  expect(describeContent({ config, manifestDigest: "sha256:0" })).toEqual([
    "  Version: 42\\u001b[2J\\u000a  Digest: x",
    "  Digest: sha256:0",
  ]);
});
