// What is mounted where, as /proc/self/mountinfo tells.
import { join } from "node:path";
import type { Context } from "./context.ts";
import { readFileIfAny } from "./files.ts";

export interface Mount {
  readonly path: string;
  /** `MAJOR:MINOR`. */
  readonly device: string;
  readonly isReadOnly: boolean;
}

/** The topmost mount exactly at `path`; undefined when nothing is mounted there. */
export async function readMount(ctx: Context, path: string): Promise<Mount | undefined> {
  const text = (await readFileIfAny(join(ctx.root, "proc/self/mountinfo"))) ?? "";
  return parseMountinfo(text).findLast((it) => it.path === path);
}

/** Format: proc_pid_mountinfo(5). */
export function parseMountinfo(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [, , device, , path, options] = line.split(" ");
    if (device === undefined || path === undefined || options === undefined) return [];
    return [{ path: unescapePath(path), device, isReadOnly: options.split(",").includes("ro") }];
  });
}

/** `path` is mounted read-only from a device that cannot be written, such as a DVD. */
export async function isOnReadOnlyMedium(ctx: Context, path: string): Promise<boolean> {
  const mount = await readMount(ctx, path);
  if (mount === undefined || !mount.isReadOnly) return false;
  const flag = await readFileIfAny(join(ctx.root, "sys/dev/block", mount.device, "ro"));
  return flag?.trim() === "1";
}

function unescapePath(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
