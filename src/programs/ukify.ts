// ukify: makes a unified kernel image, one file with a kernel, an initramfs and kernel arguments.
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { isInPath } from "../system/find-program.ts";

export interface UkiParts {
  /** The directory that ukify works in. */
  readonly root: string;
  readonly kernel: string;
  readonly initramfs: string;
  readonly version: string;
  readonly cmdline: string;
  readonly osRelease: string;
  /** More words for ukify, of which `--output` is the most important. */
  readonly words: readonly string[];
}

export function requireUkify(ctx: Context): void {
  if (isInPath(ctx, "ukify")) return;
  throw new BootcError("`ukify`: not found", {
    hint: "install the package systemd-ukify, for example in a build stage",
  });
}

export async function buildUki(ctx: Context, parts: UkiParts): Promise<void> {
  const args = [
    ...["build", "--linux", parts.kernel, "--initrd", parts.initramfs, "--uname", parts.version],
    ...["--cmdline", parts.cmdline, "--os-release", `@${parts.osRelease}`, ...parts.words],
  ];
  await ctx.run("ukify", args, { cwd: parts.root });
}
