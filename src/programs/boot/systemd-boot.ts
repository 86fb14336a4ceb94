// Installs systemd-boot on the ESP. Boot entries and kernels stay where ostree replaces them at once: on a
// separate /boot, an XBOOTLDR partition with ext4, which systemd-boot reads by an EFI driver of the image.
import { copyFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { makeDirectories, readFileIfAny } from "../../system/files.ts";
import type { FileTree } from "../../system/root/file-tree.ts";
import { removeOlderTwins, tryRegister } from "./firmware-entry.ts";

/** An architecture by its name in EFI. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x64", arm64: "aa64" };

/** Where distributions have EFI drivers for ext4: Debian (refind), Fedora (edk2-ext4), Arch (efifs). */
const driverPaths = (arch: string): readonly string[] => [
  `/usr/share/refind/refind/drivers_${arch}/ext4_${arch}.efi`,
  `/usr/share/edk2/drivers/ext4${arch}.efi`,
  `/usr/lib/efifs-${arch}/ext2_${arch}.efi`,
  `/usr/lib/bootc/efi-drivers/ext4_${arch}.efi`,
];

export interface FoundSystemdBoot {
  /** The path of bootctl in the image. */
  readonly program: string;
  /** The name of the boot loader, as bootctl installs it. */
  readonly loader: string;
  /** The path of the EFI driver for ext4. */
  readonly driver: string;
}

/** What systemd-boot needs of the image. */
export async function requireSystemdBoot(
  has: (path: string) => Promise<boolean>,
  architecture: string,
): Promise<FoundSystemdBoot> {
  const arch = ARCHITECTURES[architecture];
  const program = "/usr/bin/bootctl";
  // Debian has only the signed one, bootctl prefers it.
  const loader = `systemd-boot${arch}.efi`;
  const source = `/usr/lib/systemd/boot/efi/${loader}`;
  const hasLoader = (await has(`${source}.signed`)) || (await has(source));
  if (arch === undefined || !hasLoader || !(await has(program))) {
    throw new BootcError("the image has no systemd-boot", {
      kind: "unsupported",
      hint: "add systemd-boot to the image, or install with another `--bootloader`",
    });
  }
  for (const driver of driverPaths(arch)) if (await has(driver)) return { program, loader, driver };
  throw new BootcError("the image has no EFI driver with which systemd-boot reads ext4", {
    kind: "unsupported",
    hint: `add one, for example as ${driverPaths(arch).at(-1)}`,
  });
}

/** Keys for Secure Boot in the image: a directory for each set, with files `*.auth`. */
const KEYS = "usr/lib/bootc/install/secureboot-keys";

/** The paths of the image's keys below their directory. Refuses anything else there. */
export async function readSecureBootKeys(
  tree: Pick<FileTree, "readNames" | "readTextIfAny">,
): Promise<readonly string[]> {
  const keys: string[] = [];
  for (const set of await tree.readNames(KEYS)) {
    if ((await tree.readTextIfAny(join(KEYS, set))) !== undefined) {
      throw new BootcError(`\`/${join(KEYS, set)}\` is not a directory`, {
        hint: "keys for Secure Boot are in directories, for example `auto/db.auth`",
      });
    }
    const names = await tree.readNames(join(KEYS, set));
    keys.push(...names.filter((it) => it.endsWith(".auth")).map((it) => join(set, it)));
  }
  return keys;
}

export interface SystemdBootRequest extends FoundSystemdBoot {
  readonly physicalRoot: string;
  /** Below the directory of the image for keys. */
  readonly keys: readonly string[];
  /** Whether another machine will boot the disk; firmware variables are then not changed. */
  readonly isGeneric: boolean;
  /** The place of the ESP; undefined if it is not on exactly one disk. */
  readonly esp: { readonly disk: string; readonly number: number } | undefined;
}

/** Installs systemd-boot. The deployment's /boot must be the physical root's, with the ESP at /boot/efi. */
export async function installSystemdBoot(
  ctx: Context,
  deployment: string,
  request: SystemdBootRequest,
): Promise<void> {
  const { program, driver, physicalRoot, keys, isGeneric } = request;
  const esp = join(physicalRoot, "boot/efi");
  // A partition is checked by udev's data, which containers may lack. We have checked it.
  const env = ["SYSTEMD_RELAX_ESP_CHECKS=1", "SYSTEMD_RELAX_XBOOTLDR_CHECKS=1"];
  const places = ["--esp-path=/boot/efi", "--boot-path=/boot"];
  const seed = isGeneric ? await seedArgs(ctx, deployment, program) : [];
  // With relaxed checks, bootctl does not know the partition, and would register an entry that leads nowhere.
  const args = [...places, "--no-variables", ...seed, "install"];
  const words = ["/usr/bin/env", ...env, program, ...args];
  await ctx.run("chroot", [deployment, ...words], { isQuiet: true });
  const drivers = join(esp, "EFI/systemd/drivers");
  await makeDirectories(drivers);
  await copyFile(join(deployment, driver), join(drivers, basename(driver)));
  for (const key of keys) {
    const place = join(esp, "loader/keys", key);
    await makeDirectories(join(place, ".."));
    await copyFile(join(deployment, KEYS, key), place);
    ctx.note(`Wrote Secure Boot key: ${key}`);
  }
  await ensureTimeout(join(esp, "loader/loader.conf"));
  if (isGeneric) return;
  await tryRegister(ctx, { deployment, loader: "systemd-boot" }, (efibootmgr) =>
    register(ctx, [deployment, efibootmgr], request),
  );
}

async function register(
  ctx: Context,
  program: readonly string[],
  { esp, loader }: Pick<SystemdBootRequest, "esp" | "loader">,
): Promise<void> {
  if (esp === undefined) {
    throw new BootcError("the EFI system partition is not on exactly one disk");
  }
  const place = ["--disk", esp.disk, "--part", String(esp.number)];
  // The label is the one that bootctl uses.
  const entry = { label: "Linux Boot Manager", loader: `\\EFI\\systemd\\${loader}` };
  const content = ["--label", entry.label, "--loader", entry.loader];
  const words = [...program, "--quiet", "--create", ...place, ...content];
  await ctx.run("chroot", words, { isQuiet: true });
  await removeOlderTwins(ctx, program, entry);
}

/** A disk for other machines brings no random seed, which all copies of the disk would share. */
async function seedArgs(
  ctx: Context,
  deployment: string,
  program: string,
): Promise<readonly string[]> {
  const help = await ctx.read("chroot", [deployment, program, "--help"]);
  // systemd 257 or newer.
  return help.includes("--random-seed") ? ["--random-seed=no"] : [];
}

/** Lets people choose the older system: without a timeout, systemd-boot shows no menu. */
async function ensureTimeout(config: string): Promise<void> {
  const text = (await readFileIfAny(config)) ?? "";
  if (!/^\s*timeout\s/m.test(text)) await writeFile(config, `${text}timeout 5\n`);
}
