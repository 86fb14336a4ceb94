// The SELinux policy that a system enables, found as ostree finds it.
import { join } from "node:path";
import { exists, readFileIfAny } from "./files.ts";

/**
 * The policy that `ostree commit --selinux-policy=ROOT` would label by: the folder `etc/selinux/TYPE` below
 * `root`, or `usr/etc/selinux/TYPE` when there is no `etc/selinux`. Undefined when there is none or its
 * `config` has SELinux disabled: then ostree labels nothing.
 */
export async function findPolicy(root: string): Promise<string | undefined> {
  const inRoot = join(root, "etc/selinux");
  const selinux = (await exists(inRoot)) ? inRoot : join(root, "usr/etc/selinux");
  const config = await readFileIfAny(join(selinux, "config"));
  const type = config === undefined ? undefined : parsePolicyType(config);
  return type === undefined ? undefined : join(selinux, type);
}

/**
 * The policy that a `selinux/config` enables, parsed as ostree does. Undefined when SELinux is off, and when
 * no policy is named: ostree crashes then.
 */
export function parsePolicyType(config: string): string | undefined {
  const lines = config.split("\n");
  const valuesOf = (key: string) =>
    lines.flatMap((it) => (it.startsWith(key) ? [it.slice(key.length)] : []));
  if (!valuesOf("SELINUX=").some((it) => /^(?:enforcing|permissive)/i.test(it))) return undefined;
  return valuesOf("SELINUXTYPE=").at(-1)?.trim() || undefined;
}
