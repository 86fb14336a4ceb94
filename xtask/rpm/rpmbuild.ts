// Runs rpmbuild so that user, machine and clock do not influence its packages.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, kindOf, messageOf } from "../../src/errors.ts";
import type { Tree } from "../task.ts";

/** rpm's macros by name. */
export type Definitions = Readonly<Record<string, string>>;

/** These macros keep host, time and accounts out of packages. */
export const NEUTRAL: Definitions = {
  _buildhost: "reproducible",
  use_source_date_epoch_as_buildtime: "1",
  clamp_mtime_to_source_date_epoch: "1",
  // Otherwise the account that runs rpmbuild owns the sources.
  _srcdefattr: "(-,root,root)",
};

/** A `--define` for each of `definitions`, as words. */
export function formatDefinitions(definitions: Definitions): readonly string[] {
  return Object.entries(definitions).flatMap(([name, value]) => ["--define", `${name} ${value}`]);
}

/** Gives `work` a fresh folder below target/, and removes it afterwards in every case. */
export async function withScratch<T>(
  { top }: Tree,
  name: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  await mkdir(join(top, "target"), { recursive: true });
  const folder = await mkdtemp(join(top, "target", `.${name}-`));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs rpmbuild; a failure becomes one line, the first that rpmbuild calls an error. */
export async function explainRpmbuild<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw rpmbuildError(what, cause);
  }
}

function rpmbuildError(what: string, cause: unknown): unknown {
  const text = messageOf(cause);
  if (/No space left on device|ENOSPC/.test(text)) {
    return new BootcError(`${what}: the disk is full`, {
      kind: "space",
      hint: "free some space below target/, for instance with `npm run xtask clean`, and run it again",
    });
  }
  const refused = /^bwrap: *(.+)$/m.exec(text)?.[1];
  if (refused !== undefined) {
    return new BootcError(`${what}: the sandbox could not be set up: ${refused}`, {
      kind: "unsupported",
      hint: "allow user namespaces on this machine; a container needs `--privileged`",
    });
  }
  const said = (/^(?:error|.*: error): *(.+)$/m.exec(text) ??
    /^RPM build errors:\n *(.+)$/m.exec(text))?.[1];
  if (said === undefined) return cause;
  return new BootcError(`${what}: rpmbuild says: ${said}`, {
    kind: kindOf(cause),
    hint: "run it again with --verbose to see the whole command",
  });
}
