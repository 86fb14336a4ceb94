import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Deployment } from "../host/deployment.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import { layOutMachine } from "../testing/machine-fixture.ts";
import { type ScriptLine, scriptedContext } from "../testing/scripted-context.ts";
import { isKernelInBoot, parseListing, requireBootRoom, sumFreeableKernels } from "./boot-room.ts";

// ostree 2022.7 and 2025.2 print the same.
const LISTING = `d00755 0 0      0 ${"a".repeat(64)} ${"b".repeat(64)} /usr/lib/modules/6.12
-00644 0 0 29713920 ${"c".repeat(64)} /usr/lib/modules/6.12/initramfs.img
l00777 0 0      0 ${"d".repeat(64)} /usr/lib/modules/6.12/build -> /usr/src
`;

test("a listing of ostree, directories with two checksums", () => {
  expect(parseListing(LISTING).map((it) => [it.kind, it.sizeBytes, it.path])).toEqual([
    ["d", 0, "/usr/lib/modules/6.12"],
    ["-", 29_713_920, "/usr/lib/modules/6.12/initramfs.img"],
    ["l", 0, "/usr/lib/modules/6.12/build -> /usr/src"],
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

test("only kernels that nothing kept boots make room, and a note of ostree's is no kernel", async () => {
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

/** What ostree lists of a commit with one kernel. */
const kernelOf = (commit: string, checksum: string): readonly ScriptLine[] => {
  const list = `? ostree ls --repo=/repo --checksum ${commit}`;
  const dir = "/usr/lib/modules/6.12";
  return [
    [`${list} /usr/lib/modules`, `d00755 0 0 0 ${"a".repeat(64)} ${"b".repeat(64)} ${dir}\n`],
    [`${list} ${dir}`, `-00644 0 0 ${HUGE} ${checksum} ${dir}/vmlinuz\n`],
  ];
};

async function layOutBoot(root: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await mkdir(join(root, "boot/ostree", name), { recursive: true });
    await writeFile(join(root, "boot/ostree", name, "vmlinuz-6.12"), "kernel");
  }
}

test.each([
  { what: "booted", wanted: NEW, inBoot: ["booted", "rollback"], asked: ["booted"], want: true },
  {
    what: "rollback",
    wanted: OLD,
    inBoot: ["booted", "rollback"],
    asked: ["booted", "rollback"],
    want: true,
  },
  { what: "lost", wanted: OLD, inBoot: ["booted"], asked: ["booted"], want: false },
  {
    what: "unknown",
    wanted: OTHER,
    inBoot: ["booted", "rollback", "other"],
    asked: ["booted", "rollback"],
    want: false,
  },
])("a kernel is in /boot already when a deployment has it there: $what", async (it) => {
  const root = await mkdtemp(join(tmpdir(), "boot-room-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await layOutBoot(
    root,
    it.inBoot.map((name) => `default-${name}`),
  );
  const booted = deployment({ checksum: "B", isBooted: true });
  const rollback = deployment({ checksum: "R", bootChecksum: "rollback" });
  const same = deployment({ checksum: "S", bootChecksum: "rollback" });
  const foreign = deployment({ checksum: "F", stateroot: "foreign", bootChecksum: "other" });
  const kernels = { booted: kernelOf("B", NEW), rollback: kernelOf("R", OLD) };
  const asked = it.asked.flatMap((name) => kernels[name as keyof typeof kernels]);
  const { ctx, requireAllUsed } = scriptedContext(root, asked);
  const wanted = [{ name: "vmlinuz", sizeBytes: HUGE, checksum: it.wanted }];
  const deployments = [booted, rollback, same, foreign];
  const isThere = isKernelInBoot(ctx, { repo: "/repo", booted }, { wanted, deployments });
  expect(await isThere).toBe(it.want);
  requireAllUsed();
});

test("without room for it only a kernel that is in /boot is accepted", async () => {
  const { root } = await layOutMachine(
    new URL("../sysroot/fixtures/ostree-2025.2-staged.json", import.meta.url),
  );
  const { deployments } = await readSysroot(scriptedContext(root, []).ctx);
  const booted = deployments.find((it) => it.isBooted);
  if (booted === undefined) throw new Error("the fixture is booted");
  await layOutBoot(root, [`default-${booted.bootChecksum}`]);
  const ask = async (wanted: string) => {
    // All deployments of the fixture have one kernel; the first of them is looked at.
    const first = kernelOf(deployments[0]?.checksum ?? "", OLD);
    const { ctx } = scriptedContext(root, [
      ...kernelOf("C", wanted),
      ...first,
      ["? ostree --version", " Version: '2025.2'\n"],
    ]);
    return await requireBootRoom(ctx, { repo: "/repo", commit: "C", booted });
  };
  await expect(ask(OLD)).resolves.toBeUndefined();
  await expect(ask(NEW)).rejects.toMatchObject({ kind: "space" });
});
