// Installs a boot loader: with the image's bootupd if it has one, else the image's GRUB, or none.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../errors.ts";
import { detectBootupd, installWithBootupd } from "../programs/boot/bootupctl.ts";
import { detectGrub, installPlainGrub } from "../programs/boot/grub-install.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";
import { withChroot } from "./machine/chroot.ts";
import type { Prepared } from "./prepared.ts";
import type { InstallTarget } from "./request.ts";

/** The program that installs the boot loader. */
export type BootloaderSetup =
  | { readonly kind: "bootupd"; readonly program: string }
  | { readonly kind: "plain-grub"; readonly program: string }
  | { readonly kind: "none" };

/** Whether the image has a file at a path. */
type HasFile = (path: string) => Promise<boolean>;

/** Decides by the command line, the configuration, the image's content and this machine's firmware. */
export async function decideBootloader(
  ctx: Context,
  { options, config }: Pick<Prepared, "options" | "config">,
  has: HasFile,
): Promise<BootloaderSetup> {
  const wanted = options.bootloader ?? config?.bootloader;
  if (wanted === "none") return { kind: "none" };
  const isGrub = wanted === undefined || wanted === "grub";
  const bootupd = isGrub ? await detectBootupd(has) : undefined;
  if (bootupd !== undefined) return { kind: "bootupd", program: bootupd };
  const grub = isGrub ? await detectGrub(has, process.arch) : undefined;
  if (grub !== undefined) {
    if (!options.genericImage) await requireBios(ctx);
    return { kind: "plain-grub", program: grub };
  }
  throw new BootcError("bootupd is required for ostree-based installs", {
    kind: "unsupported",
    hint: "add bootupd or GRUB to the image, or install with `--bootloader none`",
  });
}

/** Without bootupd, GRUB can only be installed for machines with a BIOS. */
async function requireBios(ctx: Context): Promise<void> {
  if (!(await exists(join(ctx.root, "sys/firmware/efi")))) return;
  throw new BootcError(
    "this machine starts by EFI, but without bootupd GRUB can only be installed for a BIOS",
    {
      kind: "unsupported",
      hint:
        "add bootupd to the image, or install with `--bootloader none`; " +
        "`--generic-image` installs for another machine",
    },
  );
}

export interface BootloaderJob {
  readonly setup: BootloaderSetup;
  readonly prepared: Prepared;
  readonly target: InstallTarget;
  readonly deployment: string;
}

export async function installBootloader(ctx: Context, job: BootloaderJob): Promise<void> {
  const { setup, prepared, target, deployment } = job;
  ctx.note(`Bootloader: ${setup.kind === "none" ? "none" : "grub"}`);
  if (setup.kind === "none") return;
  await requireBootEntry(target.root);
  await doing("installing the boot loader", async () => {
    const { options, config } = prepared;
    const skipsUuid = options.bootupdSkipBootUuid ?? config?.["skip-boot-uuid"] ?? false;
    const request = {
      program: setup.program,
      disk: target.disk,
      isGeneric: options.genericImage ?? false,
      writesUuid: !skipsUuid,
      isVerbose: Boolean(ctx.env.BOOTC_BOOTLOADER_DEBUG),
    };
    await withChroot(ctx, { deployment, root: target.root }, async () => {
      if (setup.kind === "bootupd") await installWithBootupd(ctx, deployment, request);
      else await installPlainGrub(ctx, deployment, { ...request, physicalRoot: target.root });
    });
  });
}

/** Without a boot entry, the machine would look installed but would not start. */
async function requireBootEntry(root: string): Promise<void> {
  const dir = join(root, "boot/loader/entries");
  const names = (await exists(dir)) ? await readdir(dir) : [];
  if (!names.some((it) => it.endsWith(".conf"))) throw new BootcError("ostree wrote no boot entry");
}
