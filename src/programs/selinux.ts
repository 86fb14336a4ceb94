// SELinux labels of files: finds files without one with ls, and sets labels with chcon.
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";
import { isSelinuxOn } from "../system/label.ts";

/** How many files are passed to one run of a program; well below the limit of a command line. */
const FILES_AT_ONCE = 500;

/** Sets a label on each file; for a symbolic link, on the link itself. */
export async function setLabels(
  ctx: Context,
  labels: readonly { readonly file: string; readonly label: string }[],
): Promise<void> {
  const files = Map.groupBy(labels, (it) => it.label);
  for (const [label, group] of files) {
    for (let i = 0; i < group.length; i += FILES_AT_ONCE) {
      const some = group.slice(i, i + FILES_AT_ONCE).map((it) => it.file);
      await ctx.run("chcon", ["--no-dereference", label, ...some]);
    }
  }
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
  const unlabelled = new Set<string>();
  for (let i = 0; i < files.length; i += FILES_AT_ONCE) {
    const some = files.slice(i, i + FILES_AT_ONCE);
    // One line per file, in the given order: line feeds in names are quoted.
    const words = ["--directory", "-U", "--context", "--quoting-style=c"];
    const lines = (await ctx.read("ls", [...words, "--", ...some])).trimEnd().split("\n");
    if (lines.length !== some.length)
      throw new Error("unreachable: `ls` lists each file it is given");
    some.forEach((file, at) => {
      if (isUnlabelled(lines[at] ?? "")) unlabelled.add(file);
    });
  }
  return unlabelled;
}

/** Where SELinux is on, the kernel shows `unlabeled_t` for files without a label. */
function isUnlabelled(line: string): boolean {
  const [label = ""] = line.trimStart().split(" ", 1);
  return label === "?" || label.includes(":unlabeled_t:");
}
