import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Deployment } from "../../host/deployment.ts";
import { readSysroot } from "../../sysroot/sysroot.ts";
import { writeCommit } from "../../testing/committed-tree.ts";
import { layOutMachine } from "../../testing/machine-fixture.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import {
  isKernelInBoot,
  readKernelFiles,
  requireBootRoom,
  sumFreeableKernels,
} from "./boot-room.ts";

async function createRepo(): Promise<string> {
  const repo = await mkdtemp(join(tmpdir(), "boot-room-"));
  onTestFinished(() => rm(repo, { recursive: true, force: true }));
  return repo;
}

test("the kernel, initramfs and device tree of a commit, links and directories left out", async () => {
  const repo = await createRepo();
  const dir = "usr/lib/modules/6.12";
  const commit = await writeCommit(repo, {
    [`${dir}/vmlinuz`]: "kernel",
    [`${dir}/initramfs.img`]: { sizeBytes: 29_713_920, checksum: "c".repeat(64) },
    [`${dir}/build`]: { link: "/usr/src" },
    [`${dir}/devicetree/x.dtb`]: "tree",
    "usr/lib/modules/6.11/vmlinuz": { link: "../../6.12/vmlinuz" },
    "usr/lib/modules/README": "text",
  });
  expect((await readKernelFiles(repo, commit)).map((it) => [it.name, it.sizeBytes])).toEqual([
    ["vmlinuz", 6],
    ["initramfs.img", 29_713_920],
  ]);
});

const deployment = (changes: Partial<Deployment>): Deployment => ({
  stateroot: "default",
  checksum: "a".repeat(64),
  serial: 0,
  bootChecksum: "booted",
  isStaged: false,
  isBooted: false,
  isPinned: false,
  isSuperseded: false,
  isLocked: false,
  unlocked: "none",
  bootOptions: "",
  softRebootObstacle: "systemd is older than 254",
  origin: { image: undefined, refspec: undefined, isIncompatible: false },
  content: undefined,
  cachedUpdate: undefined,
  problems: [],
  ...changes,
});

test("only kernels that nothing kept boots make room, and a note of ostree's is not a kernel", async () => {
  const boot = await mkdtemp(join(tmpdir(), "boot-room-"));
  onTestFinished(() => rm(boot, { recursive: true, force: true }));
  const sizes = { booted: 1, rollback: 10, pinned: 100, orphan: 1000 };
  for (const [name, size] of Object.entries(sizes)) {
    await mkdir(join(boot, `ostree/default-${name}`), { recursive: true });
    await writeFile(join(boot, `ostree/default-${name}/vmlinuz`), "x".repeat(size));
  }
  await mkdir(join(boot, "ostree/other-system"));
  await writeFile(join(boot, "ostree/other-system/vmlinuz"), "x".repeat(10_000));
  await writeFile(join(boot, "ostree/finalize-failure.stamp"), "no space left on device");
  const deployments = [
    deployment({ isBooted: true }),
    deployment({ bootChecksum: "rollback" }),
    deployment({ bootChecksum: "pinned", isPinned: true }),
    deployment({ bootChecksum: "system", stateroot: "other" }),
  ];
  expect(await sumFreeableKernels(boot, deployments)).toBe(1010);
});

test("without a /boot of ostree's nothing makes room", async () => {
  expect(await sumFreeableKernels("/nonexistent", [deployment({ isBooted: true })])).toBe(0);
});

/** Larger than any disk. */
const HUGE = 10 ** 18;
const [OLD, NEW, OTHER] = ["1", "2", "3"].map((it) => it.repeat(64)) as [string, string, string];

/** Writes a commit with one kernel. */
async function writeKernel(repo: string, commit: string, checksum: string): Promise<void> {
  const kernel = { sizeBytes: HUGE, checksum };
  await writeCommit(repo, { "usr/lib/modules/6.12/vmlinuz": kernel }, commit);
}

async function layOutBoot(root: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await mkdir(join(root, "boot/ostree", name), { recursive: true });
    await writeFile(join(root, "boot/ostree", name, "vmlinuz-6.12"), "kernel");
  }
}

test.each([
  { what: "booted", wanted: NEW, inBoot: ["booted", "rollback"], read: ["booted"], want: true },
  {
    what: "rollback",
    wanted: OLD,
    inBoot: ["booted", "rollback"],
    read: ["booted", "rollback"],
    want: true,
  },
  { what: "lost", wanted: OLD, inBoot: ["booted"], read: ["booted"], want: false },
  {
    what: "unknown",
    wanted: OTHER,
    inBoot: ["booted", "rollback", "other"],
    read: ["booted", "rollback"],
    want: false,
  },
])("a kernel is in /boot already when a deployment has it there: $what", async (it) => {
  const root = await mkdtemp(join(tmpdir(), "boot-room-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await layOutBoot(
    root,
    it.inBoot.map((name) => `default-${name}`),
  );
  const [b, r] = ["b".repeat(64), "d".repeat(64)];
  const booted = deployment({ checksum: b, isBooted: true });
  const rollback = deployment({ checksum: r, bootChecksum: "rollback" });
  // Their commits are in no repository: reading them would be an error.
  const same = deployment({ checksum: "e".repeat(64), bootChecksum: "rollback" });
  const foreign = deployment({ stateroot: "foreign", bootChecksum: "other" });
  const repo = await createRepo();
  if (it.read.includes("booted")) await writeKernel(repo, b, NEW);
  if (it.read.includes("rollback")) await writeKernel(repo, r, OLD);
  const { ctx } = scriptedContext(root, []);
  const wanted = [{ name: "vmlinuz", sizeBytes: HUGE, checksum: it.wanted }];
  const deployments = [booted, rollback, same, foreign];
  const isThere = isKernelInBoot(
    ctx,
    { repo, stateroot: booted.stateroot },
    { wanted, deployments },
  );
  expect(await isThere).toBe(it.want);
});

test("without room for it only a kernel that is in /boot is accepted", async () => {
  const { root } = await layOutMachine(
    new URL("../../sysroot/fixtures/ostree-2025.2-staged.json", import.meta.url),
  );
  const { deployments } = await readSysroot(scriptedContext(root, []).ctx);
  const booted = deployments.find((it) => it.isBooted);
  if (booted === undefined) throw new Error("the fixture is booted");
  await layOutBoot(root, [`default-${booted.bootChecksum}`]);
  const ask = async (wanted: string) => {
    const repo = await createRepo();
    // All deployments of the fixture have one kernel; the first of them is looked at.
    await writeKernel(repo, deployments[0]?.checksum ?? "", OLD);
    const commit = "c".repeat(64);
    await writeKernel(repo, commit, wanted);
    const { ctx } = scriptedContext(root, [["? ostree --version", " Version: '2025.2'\n"]]);
    return await requireBootRoom(ctx, { repo, commit, stateroot: booted.stateroot });
  };
  await expect(ask(OLD)).resolves.toBeUndefined();
  await expect(ask(NEW)).rejects.toMatchObject({ kind: "space" });
});
