// SELinux labels of files: finds files without one with ls, and sets labels with chcon.
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";
import { isSelinuxOn } from "../system/label.ts";
import { failureOf } from "../system/run.ts";

/** How many files are passed to one run of a program; well below the limit of a command line. */
const FILES_AT_ONCE = 500;

/**
 * Sets a label on each file; for a symbolic link, on the link itself. A file that refuses, as an immutable
 * one does, keeps no other from its label: the first error is thrown at the end. An interruption, and a
 * program that is missing or killed, end it at once.
 */
export async function setLabels(
  ctx: Context,
  labels: readonly { readonly file: string; readonly label: string }[],
): Promise<void> {
  const files = Map.groupBy(labels, (it) => it.label);
  const errors: unknown[] = [];
  for (const [label, group] of files) {
    for (let i = 0; i < group.length; i += FILES_AT_ONCE) {
      ctx.signal.throwIfAborted();
      const some = group.slice(i, i + FILES_AT_ONCE).map((it) => it.file);
      await ctx.run("chcon", ["--no-dereference", label, ...some]).catch((error: unknown) => {
        ctx.signal.throwIfAborted();
        const failure = failureOf(error);
        if (failure !== undefined && failure.exitCode === undefined) throw error;
        errors.push(error);
      });
    }
  }
  if (errors.length > 0) throw errors[0];
}

/** Sets one label. Fails if the kernel does not allow this label. */
export async function setLabel(ctx: Context, file: string, label: string): Promise<void> {
  await ctx.run("chcon", [label, file], { isQuiet: true });
}

/** Runs `replace`, and then restores the former label of the file at `path`. */
export async function keepLabel(
  ctx: Context,
  path: string,
  replace: () => Promise<void>,
): Promise<void> {
  if (!(await isSelinuxOn(ctx)) || !(await exists(path))) return await replace();
  const label = (await ctx.read("stat", ["--format=%C", path])).trim();
  await replace();
  await setLabel(ctx, path, label);
}

/** Finds files without a label, without following links. */
export async function findUnlabelled(
  ctx: Context,
  files: readonly string[],
): Promise<ReadonlySet<string>> {
  const labels = await readLabels(ctx, files);
  return new Set(files.filter((it) => labels.get(it) === undefined));
}

/** The labels of files that have one, by path, without following links. */
export async function readLabels(
  ctx: Context,
  files: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const labels = new Map<string, string>();
  for (let i = 0; i < files.length; i += FILES_AT_ONCE) {
    const some = files.slice(i, i + FILES_AT_ONCE);
    // One line per file, in the given order: line feeds in names are quoted.
    const words = ["--directory", "-U", "--context", "--quoting-style=c"];
    const lines = (await ctx.read("ls", [...words, "--", ...some])).trimEnd().split("\n");
    if (lines.length !== some.length)
      throw new Error("unreachable: `ls` lists each file it is given");
    some.forEach((file, at) => {
      const [label = ""] = (lines[at] ?? "").trimStart().split(" ", 1);
      if (isLabel(label)) labels.set(file, label);
    });
  }
  return labels;
}

/** Where SELinux is on, the kernel shows `unlabeled_t` for files without a label. */
function isLabel(shown: string): boolean {
  return shown !== "?" && !shown.includes(":unlabeled_t:");
}
