// The podman of our container's host: the images in its storage.
import type { Context } from "../system/context.ts";
import { failureOf } from "../system/run.ts";

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
  await ctx.run("podman", ["pull", image]);
}

/** The standard output of podman, called with words that a person has seen. */
export async function readPodmanOutput(ctx: Context, words: readonly string[]): Promise<string> {
  return await ctx.read("podman", [...words]);
}

export async function runPodman(ctx: Context, words: readonly string[]): Promise<void> {
  await ctx.run("podman", [...words]);
}

/** Runs the distribution's script that installs podman. */
export async function runInstaller(ctx: Context, script: string): Promise<void> {
  await ctx.run(script, []);
}
