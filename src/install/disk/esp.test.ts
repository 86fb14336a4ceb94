import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { hasEsp, locateEsp, withEsp } from "./esp.ts";

const DISKS = "? lsblk --inverse --list --noheadings --output PATH,TYPE /dev/sda2";

/** A machine whose root is on /dev/sda2, with partitions of these types. */
async function machine({ isEfi, types }: { isEfi: boolean; types: readonly string[] }) {
  const root = await mkdtemp(join(tmpdir(), "esp-"));
  if (isEfi) await mkdir(join(root, "sys/firmware/efi"), { recursive: true });
  const partitions = types.map((type, i) => ({ node: `/dev/sda${i + 1}`, type }));
  return scriptedContext(root, [
    [DISKS, "/dev/sda2 part\n/dev/sda  disk\n"],
    ["? sfdisk --json /dev/sda", JSON.stringify({ partitiontable: { partitions } })],
  ]);
}

const search = { boot: "/target/boot", source: "/dev/sda2", isNeeded: true, isGeneric: false };
const LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
const ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

test("a machine that starts by EFI is not left without a place for its boot loader", async () => {
  const { ctx } = await machine({ isEfi: true, types: [LINUX, LINUX] });
  await expect(withEsp(ctx, search, async () => "done")).rejects.toMatchObject({
    message: "this machine starts by EFI, but /dev/sda has no EFI system partition",
    kind: "unsupported",
  });
});

test("nothing is mounted with a BIOS and no ESP", async () => {
  const { ctx, requireAllUsed } = await machine({ isEfi: false, types: [LINUX, LINUX] });
  expect(await withEsp(ctx, search, async () => "done")).toBe("done");
  requireAllUsed();
});

test("a disk for another machine needs no ESP because this machine starts by EFI", async () => {
  const { ctx, requireAllUsed } = await machine({ isEfi: true, types: [LINUX, LINUX] });
  expect(await hasEsp(ctx, { ...search, isGeneric: true })).toBe(false);
  requireAllUsed();
});

test.each([
  ["none", [LINUX, LINUX]],
  ["one", [ESP, LINUX]],
  ["several", [ESP, ESP, LINUX]],
])("without a boot loader, no ESP is searched for: there is %s", async (_about, types) => {
  const { ctx, transcript } = await machine({ isEfi: true, types });
  expect(await withEsp(ctx, { ...search, isNeeded: false }, async () => "done")).toBe("done");
  expect(transcript().trim()).toBe("");
});

test.each([
  [true, [LINUX, ESP]],
  [false, [LINUX, LINUX]],
])("says whether GRUB for EFI has a place: %s", async (has, types) => {
  const { ctx, requireAllUsed } = await machine({ isEfi: false, types });
  expect(await hasEsp(ctx, search)).toBe(has);
  requireAllUsed();
});

test.each([
  ["a partition", "/dev/sda15 part\n/dev/sda disk\n", { disk: "/dev/sda", number: 15 }],
  ["a mirror of two disks", "/dev/md1 raid1\n/dev/sda disk\n/dev/sdb disk\n", undefined],
])("firmware gets to know the place of an ESP that is %s", async (_about, said, want) => {
  const root = await mkdtemp(join(tmpdir(), "esp-"));
  const files = {
    "proc/self/mountinfo": "30 1 8:15 / /target/boot/efi rw - vfat /dev/sda15 rw\n",
    "sys/class/block/sda15/partition": "15\n",
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), text);
  }
  const { ctx } = scriptedContext(root, [
    ["? lsblk --inverse --list --noheadings --output PATH,TYPE /dev/sda15", said],
  ]);
  expect(await locateEsp(ctx, "/target/boot")).toEqual(want);
});
