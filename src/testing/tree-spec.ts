// Trees of files for tests, written from data with modes, owners, attributes and labels.
import { chmodSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openLibc } from "../native/libc.ts";

export interface FileSpec {
  readonly text?: string;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly label?: string;
  readonly xattrs?: Readonly<Record<string, string>>;
}

/** Files by path; a path that ends in a slash is a directory. */
export type TreeSpec = Readonly<Record<string, string | FileSpec>>;

export function writeTree(dir: string, spec: TreeSpec): void {
  for (const [path, it] of Object.entries(spec)) {
    const file = join(dir, path).replace(/\/$/, "");
    const {
      text,
      link,
      mode,
      uid = -1,
      gid = -1,
      label,
      xattrs = {},
    } = typeof it === "string" ? { text: it } : it;
    mkdirSync(path.endsWith("/") ? file : dirname(file), { recursive: true });
    if (link !== undefined) symlinkSync(link, file);
    else if (!path.endsWith("/")) writeFileSync(file, text ?? "", { mode: 0o644 });
    if (uid >= 0 || gid >= 0) lchownSync(file, Math.max(0, uid), Math.max(0, gid));
    if (mode !== undefined) chmodSync(file, mode);
    const all = { ...xattrs, ...(label !== undefined && { "security.selinux": `${label}\0` }) };
    for (const [name, value] of Object.entries(all))
      openLibc()?.setXattr(file, name, Buffer.from(value));
  }
}
