// podman: its own storage, and the images in the storage of our container's host.
import type { Context } from "../system/context.ts";
import { failureOf } from "../system/run.ts";

/**
 * Has podman make its storage if there is none: made by anything else, it could get other labels. Without
 * podman, skopeo makes it.
 */
export async function initPodmanStorage(ctx: Context): Promise<void> {
  try {
    await ctx.read("podman", ["system", "info"]);
  } catch (error) {
    if (failureOf(error)?.exitCode !== undefined) throw error;
  }
}

/** The digest of an image's manifest. */
export async function readHostImageDigest(ctx: Context, imageId: string): Promise<string> {
  const asHost = ["--target=1", "--mount", "--", "podman"];
  const words = ["image", "inspect", "--format={{.Digest}}", imageId];
  return (await ctx.read("nsenter", [...asHost, ...words])).trim();
}

export async function hasPodmanImage(ctx: Context, image: string): Promise<boolean> {
  try {
    await ctx.read("podman", ["image", "exists", image]);
    return true;
  } catch (error) {
    // Status 1 is the answer; others are failures.
    if (failureOf(error)?.exitCode !== 1) throw error;
    return false;
  }
}

export async function pullPodmanImage(ctx: Context, image: string): Promise<void> {
  await ctx.run("podman", ["pull", image], { keepsLocale: true });
}

/** The standard output of podman, called with words that a person has seen. */
export async function readPodmanOutput(ctx: Context, words: readonly string[]): Promise<string> {
  return await ctx.read("podman", [...words]);
}

export async function runPodman(ctx: Context, words: readonly string[]): Promise<void> {
  await ctx.run("podman", [...words], { keepsLocale: true });
}

/** Runs the distribution's script that installs podman. */
export async function runInstaller(ctx: Context, script: string): Promise<void> {
  await ctx.run(script, [], { keepsLocale: true });
}

/** A storage in mounts of our own, and the descriptor of the directory for what is of use only meanwhile. */
export interface PodmanStorage {
  readonly dir: string;
  readonly runDescriptor: number;
  readonly authFile: string;
}

/** Where podman finds the descriptor. Podman remembers this name in the storage, and insists on it. */
const RUN_ROOT = "/proc/self/fd/3";

/** `podman image …` on a storage; podman's output is our answer. */
export async function runPodmanImage(
  ctx: Context,
  { dir, runDescriptor, authFile }: PodmanStorage,
  words: readonly string[],
): Promise<void> {
  const args = [`--root=${dir}`, `--runroot=${RUN_ROOT}`, "image", ...words];
  await ctx.run("podman", args, {
    env: { REGISTRY_AUTH_FILE: authFile },
    descriptors: [runDescriptor],
    isAnswer: true,
    isInteractive: true,
    keepsLocale: true,
  });
}
