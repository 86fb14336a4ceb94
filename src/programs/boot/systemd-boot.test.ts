import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { openDirectory } from "../../system/root/file-tree.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { installSystemdBoot, readSecureBootKeys } from "./systemd-boot.ts";

const KEYS = "usr/lib/bootc/install/secureboot-keys";
const DRIVER = "usr/share/refind/refind/drivers_x64/ext4_x64.efi";

async function layOut(files: readonly string[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "systemd-boot-"));
  for (const path of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), path);
  }
  return root;
}

test("the ESP gets the boot loader, the driver of /boot, and keys; entries stay on /boot", async () => {
  const keys = ["auto/PK.auth", "auto/db.auth"];
  const inImage = [DRIVER, ...keys.map((it) => join(KEYS, it))];
  const root = await layOut(inImage.map((it) => join("deployment", it)));
  const relaxed = "SYSTEMD_RELAX_ESP_CHECKS=1 SYSTEMD_RELAX_XBOOTLDR_CHECKS=1";
  const places = "--esp-path=/boot/efi --boot-path=/boot";
  // As bootctl of systemd 257 leaves it.
  const config = join(root, "boot/efi/loader/loader.conf");
  await mkdir(dirname(config), { recursive: true });
  const { ctx, transcript, requireAllUsed } = scriptedContext(root, [
    ["? chroot ROOT/deployment /usr/bin/bootctl --help", "--no-variables --random-seed=yes|no"],
    [
      `+ chroot ROOT/deployment /usr/bin/env ${relaxed} /usr/bin/bootctl ${places} --no-variables --random-seed=no install`,
      () => writeFile(config, "#timeout 3\n"),
    ],
  ]);
  await installSystemdBoot(ctx, join(root, "deployment"), {
    program: "/usr/bin/bootctl",
    loader: "systemd-bootx64.efi",
    driver: `/${DRIVER}`,
    physicalRoot: root,
    keys,
    isGeneric: true,
    esp: undefined,
  });
  requireAllUsed();
  expect(transcript()).toContain("! Wrote Secure Boot key: auto/PK.auth\n");
  const esp = join(root, "boot/efi");
  expect(await readdir(join(esp, "EFI/systemd/drivers"))).toEqual(["ext4_x64.efi"]);
  expect(await readdir(join(esp, "loader/keys/auto"))).toEqual(["PK.auth", "db.auth"]);
  expect(await readFile(config, "utf8")).toBe("#timeout 3\ntimeout 5\n");
});

test("a bootctl before systemd 257 has no option for the seed, and a timeout that is set stays", async () => {
  const root = await layOut([join("deployment", DRIVER)]);
  const config = join(root, "boot/efi/loader/loader.conf");
  await mkdir(dirname(config), { recursive: true });
  const relaxed = "SYSTEMD_RELAX_ESP_CHECKS=1 SYSTEMD_RELAX_XBOOTLDR_CHECKS=1";
  const places = "--esp-path=/boot/efi --boot-path=/boot";
  const { ctx, requireAllUsed } = scriptedContext(root, [
    ["? chroot ROOT/deployment /usr/bin/bootctl --help", "--no-variables"],
    [
      `+ chroot ROOT/deployment /usr/bin/env ${relaxed} /usr/bin/bootctl ${places} --no-variables install`,
      () => writeFile(config, "timeout 0\n"),
    ],
  ]);
  await installSystemdBoot(ctx, join(root, "deployment"), {
    program: "/usr/bin/bootctl",
    loader: "systemd-bootx64.efi",
    driver: `/${DRIVER}`,
    physicalRoot: root,
    keys: [],
    isGeneric: true,
    esp: undefined,
  });
  requireAllUsed();
  expect(await readFile(config, "utf8")).toBe("timeout 0\n");
});

const RELAXED = "SYSTEMD_RELAX_ESP_CHECKS=1 SYSTEMD_RELAX_XBOOTLDR_CHECKS=1";
const PLACES = "--esp-path=/boot/efi --boot-path=/boot";
const INSTALL = `+ chroot ROOT/deployment /usr/bin/env ${RELAXED} /usr/bin/bootctl ${PLACES} --no-variables install`;
const ENTRY = "--label 'Linux Boot Manager' --loader '\\EFI\\systemd\\systemd-bootx64.efi'";
const REGISTER = `+ chroot ROOT/deployment /usr/sbin/efibootmgr --quiet --create --disk /dev/vda --part 2 ${ENTRY}`;

const EFIBOOTMGR = "chroot ROOT/deployment /usr/sbin/efibootmgr";
const LIST = `? ${EFIBOOTMGR} --verbose`;
const deletionOf = (number: string) =>
  `+ ${EFIBOOTMGR} --quiet --bootnum ${number} --delete-bootnum`;

/** Installs for this machine, whose firmware shows its variables. */
async function installHere(files: readonly string[], script: readonly ScriptLine[], hasEsp = true) {
  const root = await layOut([
    join("deployment", DRIVER),
    "boot/efi/loader/loader.conf",
    "sys/firmware/efi/efivars/BootOrder",
    ...files.map((it) => join("deployment", it)),
  ]);
  const { ctx, transcript, requireAllUsed } = scriptedContext(root, script);
  await installSystemdBoot(ctx, join(root, "deployment"), {
    program: "/usr/bin/bootctl",
    loader: "systemd-bootx64.efi",
    driver: `/${DRIVER}`,
    physicalRoot: root,
    keys: [],
    isGeneric: false,
    esp: hasEsp ? { disk: "/dev/vda", number: 2 } : undefined,
  });
  requireAllUsed();
  expect(await readdir(join(root, "boot/efi/EFI/systemd/drivers"))).toEqual(["ext4_x64.efi"]);
  return transcript();
}

test("this machine's firmware gets an entry that names the ESP, which bootctl would not", async () => {
  const said = await installHere(["usr/sbin/efibootmgr"], [[INSTALL], [REGISTER], [LIST]]);
  expect(said).not.toContain("warning");
});

const PLACE = "HD(2,GPT,1b922c5f-13b2-455f-9c0e-7953f70abe01,0x800,0x100000)";

test.each([
  ["/File(\\EFI\\systemd\\systemd-bootx64.efi)", "/File(\\EFI\\SYSTEMD\\SYSTEMD-BOOTX64.EFI)"],
  // As efibootmgr 18 prints it.
  ["/\\EFI\\systemd\\systemd-bootx64.efi", "/\\EFI\\systemd\\systemd-bootx64.efi"],
])("a repeated installation replaces its entry (%s), and no other one", async (now, before) => {
  const name = "Linux Boot Manager";
  const list = `BootCurrent: 0001
Timeout: 3 seconds
BootOrder: 000A,0001,0002,0003,0004
Boot0001* ${name}\t${PLACE}${before}
Boot0002* debian\t${PLACE}${now}
Boot0003* ${name}\t${PLACE.replace("1b92", "1b93")}${now}
Boot0004* ${name}\t${PLACE}${now}arguments
Boot0005  ${name}\t${PLACE}${now}
Boot000A* ${name}\t${PLACE}${now}
`;
  const script: readonly ScriptLine[] = [[LIST, list], [deletionOf("0001")], [deletionOf("0005")]];
  await installHere(["usr/sbin/efibootmgr"], [[INSTALL], [REGISTER], ...script]);
});

test("when the firmware has put another entry first, its twins stay", async () => {
  const list = `BootOrder: 0002,000A,0001,0003
Boot0001* Linux Boot Manager\t${PLACE}/File(\\EFI\\systemd\\systemd-bootx64.efi)
Boot0002* debian\t${PLACE}/File(\\EFI\\debian\\shimx64.efi)
Boot0003* debian\t${PLACE}/File(\\EFI\\debian\\shimx64.efi)
Boot000A* Linux Boot Manager\t${PLACE}/File(\\EFI\\systemd\\systemd-bootx64.efi)
`;
  await installHere(["usr/sbin/efibootmgr"], [[INSTALL], [REGISTER], [LIST, list]]);
});

test("entries that cannot be listed do not make the new one doubtful", async () => {
  const script: readonly ScriptLine[] = [[INSTALL], [REGISTER], [LIST, new Error("no list")]];
  const said = await installHere(["usr/sbin/efibootmgr"], script);
  expect(said).toContain("! note: the firmware may have older entries");
  expect(said).not.toContain("warning");
});

test.each([
  ["without room for an entry", ["usr/sbin/efibootmgr"], true, "no room"],
  ["whose ESP is on two disks", ["usr/sbin/efibootmgr"], false, "not on exactly one disk"],
  ["and an image that cannot write entries", [], true, "the image has no efibootmgr"],
])("a firmware %s is worth a warning", async (_about, files, hasEsp, why) => {
  const fails: readonly ScriptLine[] = why === "no room" ? [[REGISTER, new Error(why)]] : [];
  const said = await installHere(files, [[INSTALL], ...fails], hasEsp);
  expect(said).toMatch(
    new RegExp(`! warning: the firmware got no entry for systemd-boot: .*${why}\n`),
  );
});

test("only *.auth files in directories are keys", async () => {
  const root = await layOut([`${KEYS}/auto/db.auth`, `${KEYS}/auto/README`, `${KEYS}/b/KEK.auth`]);
  expect(await readSecureBootKeys(openDirectory(root))).toEqual(["auto/db.auth", "b/KEK.auth"]);
  expect(await readSecureBootKeys(openDirectory(await layOut([])))).toEqual([]);
});

test("a key beside the directories is a mistake that is reported", async () => {
  const root = await layOut([`${KEYS}/db.auth`]);
  await expect(readSecureBootKeys(openDirectory(root))).rejects.toThrow(
    `\`/${KEYS}/db.auth\` is not a directory`,
  );
});
