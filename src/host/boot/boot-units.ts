// Decides from the machine's state which of our units the systemd generator adds to a boot.

/** What the generator looks at on the running system. */
export interface BootFacts {
  /** `/run/ostree-booted` exists. */
  readonly isOstreeBooted: boolean;
  readonly hasSysroot: boolean;
  readonly hasShadow: boolean;
  /** An installation over another system left its stamp, which asks for a clean-up. */
  readonly wantsCleanup: boolean;
  readonly root: RootMount | undefined;
  /** The text of `/etc/fstab`; empty when the file is missing. */
  readonly fstab: string;
}

/** How `/` is mounted. */
export interface RootMount {
  readonly type: string;
  readonly isReadOnly: boolean;
}

const SHIPPED = "/usr/lib/systemd/system";
const FSTAB_UNIT = "bootc-fstab-edit.service";

/** Marks an /etc/fstab that we have fixed, so that it is not fixed again. */
export const FSTAB_STAMP = `Updated by ${FSTAB_UNIT}`;

/** Symbolic links to the package's units: paths below the generator's directory, and their targets. */
export function decideBootLinks(facts: BootFacts): Readonly<Record<string, string>> {
  const links: Record<string, string> = {};
  const isOverlay = facts.root?.type === "overlay";
  if (!facts.isOstreeBooted) return links;
  if (facts.hasShadow) want(links, "sysinit.target", "bootc-sysusers-shadow-sync.service");
  if (!facts.hasSysroot) return links;
  want(links, "multi-user.target", "bootc-status-updated-onboot.target");
  want(links, "multi-user.target", "bootc-status-updated.path");
  for (const target of ["bootc-status-updated-onboot.target", "bootc-status-updated.target"]) {
    want(links, target, "bootc-publish-boot-entries.service");
  }
  if (facts.wantsCleanup) want(links, "multi-user.target", "bootc-destructive-cleanup.service");
  if (isOverlay && facts.root?.isReadOnly && needsFstabFix(facts.fstab)) {
    want(links, "local-fs-pre.target", FSTAB_UNIT);
  }
  return links;
}

function want(links: Record<string, string>, target: string, unit: string): void {
  links[`${target}.wants/${unit}`] = `${SHIPPED}/${unit}`;
}

function needsFstabFix(fstab: string): boolean {
  return fstab.includes("Created by anaconda") && mendFstab(fstab) !== undefined;
}

/**
 * Adds `ro` to the options of every line for `/` that lacks it: `rw`, as installers write it, fails on a
 * read-only root. Undefined when nothing has to change.
 */
export function mendFstab(fstab: string): string | undefined {
  if (fstab.includes(FSTAB_STAMP)) return undefined;
  let isChanged = false;
  const lines = fstab.split("\n").map((line) => {
    const fields = line.trim().split(/\s+/);
    const [source, target, type, options = "defaults", ...rest] = fields;
    if (line.trimStart().startsWith("#") || target !== "/") return line;
    if (options.split(",").includes("ro")) return line;
    isChanged = true;
    const mended = [source, target, type, `${options},ro`, ...rest].join(" ");
    return `# ${FSTAB_STAMP}\n${mended}`;
  });
  return isChanged ? lines.join("\n") : undefined;
}
