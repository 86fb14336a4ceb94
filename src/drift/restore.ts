// Which steps bring back what the image has at one path.
import { BootcError } from "../errors.ts";
import { describeKind, pathAbove, type TreeChange } from "./changes.ts";
import type { Entries } from "./entries.ts";

export interface RestoreStep {
  /** `attributes` makes a missing directory, or changes the attributes of one; its content stays. */
  readonly action: "copy" | "attributes";
  readonly path: string;
}

export interface RestoreQuestion {
  /** Where both trees are on the running system: `/etc`. */
  readonly directory: string;
  readonly image: Entries;
  readonly host: Entries;
  readonly changes: readonly TreeChange[];
}

/** The steps in the order to take them; none when the host has what the image has. */
export function decideRestore(question: RestoreQuestion, asked: string): readonly RestoreStep[] {
  const { directory, image, host, changes } = question;
  const path = parseRestorePath(directory, asked);
  const name = `\`${directory}/${path}\``;
  if (image.get(path) === undefined) {
    throw new BootcError(`${name} is not in the image`, {
      kind: "usage",
      hint: "`bootc config-diff` lists what can be restored: everything modified or removed",
    });
  }
  const missing: RestoreStep[] = [];
  for (const above of ancestorsOf(path)) {
    const found = host.get(above);
    if (found === undefined) missing.push({ action: "attributes", path: above });
    else if (found.kind !== "directory") {
      throw new BootcError(`\`${directory}/${above}\` is a ${describeKind(found)} on this host`, {
        hint: `restore \`${directory}/${above}\` instead of ${name}`,
      });
    }
  }
  if (missing.length > 0) return [...missing, { action: "copy", path }];
  return changes
    .filter((it) => it.kind !== "added" && isWithin(path, it.path))
    .map((change) => decideStep(directory, change));
}

function decideStep(directory: string, { path, before, after }: TreeChange): RestoreStep {
  if (after?.kind !== "directory") return { action: "copy", path };
  if (before?.kind === "directory") return { action: "attributes", path };
  throw new BootcError(`\`${directory}/${path}\` is a directory on this host`, {
    hint: "move it away first, because its content is not in the image",
  });
}

/** The path below `directory` that a user means, who may also write the whole path. */
export function parseRestorePath(directory: string, asked: string): string {
  const within = asked.startsWith("/") ? asked.slice(directory.length + 1) : asked;
  const isElsewhere = asked.startsWith("/") && !asked.startsWith(`${directory}/`);
  const parts = within.split("/").filter((it) => it !== "" && it !== ".");
  if (isElsewhere || parts.length === 0 || parts.includes("..")) {
    throw new BootcError(`\`${asked}\` is not a path below \`${directory}\``, {
      kind: "usage",
      hint: `name a file or directory, such as \`${directory}/hosts\``,
    });
  }
  return parts.join("/");
}

/** The directories above `path`, the outermost first, without the top. */
export function ancestorsOf(path: string): readonly string[] {
  const parent = pathAbove(path);
  return parent === "" ? [] : [...ancestorsOf(parent), parent];
}

function isWithin(top: string, path: string): boolean {
  return path === top || path.startsWith(`${top}/`);
}
