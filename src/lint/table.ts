// All checks, in the order in which they are reported.
import type { Check } from "./check.ts";
import * as accounts from "./checks/accounts.ts";
import * as etc from "./checks/etc.ts";
import * as identity from "./checks/identity.ts";
import * as image from "./checks/image.ts";
import * as kargs from "./checks/kargs.ts";
import * as kernel from "./checks/kernel.ts";
import * as leftovers from "./checks/leftovers.ts";
import * as names from "./checks/names.ts";
import * as permissions from "./checks/permissions.ts";
import * as release from "./checks/release.ts";
import * as root from "./checks/root.ts";
import * as selinux from "./checks/selinux.ts";
import * as units from "./checks/units.ts";
import * as variable from "./checks/var.ts";

const ALL: readonly Check[] = [
  accounts.emptyPasswords,
  accounts.movedIds,
  accounts.sysusers,
  accounts.unknownIds,
  etc.buildahInjected,
  etc.etcUnowned,
  etc.etcUsretc,
  etc.fstabEntries,
  identity.machineId,
  identity.randomSeed,
  identity.sshHostKeys,
  image.imageLabels,
  image.layerSizes,
  image.rewrittenFiles,
  kargs.baseimageComposefs,
  kargs.bootcKargs,
  kargs.contradictingKargs,
  kargs.ignoredKargs,
  kernel.initramfsWithoutOstree,
  kernel.kernel,
  kernel.kernelModules,
  kernel.missingInitramfs,
  kernel.missingKernel,
  kernel.nonemptyBoot,
  leftovers.buildSecrets,
  leftovers.configBackups,
  leftovers.packageDatabase,
  leftovers.packageLeftovers,
  names.brokenLinks,
  names.specialFiles,
  names.utf8,
  permissions.newSetuid,
  permissions.worldWritable,
  permissions.writableUsr,
  release.boundImages,
  release.imageVersion,
  release.osRelease,
  root.apiBaseDirectories,
  root.baseimageRoot,
  root.nonemptyRunTmp,
  root.toplevelEntries,
  selinux.selinuxRefresh,
  units.missingUnits,
  units.unpresetUnits,
  variable.varContent,
  variable.varLog,
  variable.varRun,
  variable.varTmpfiles,
];

export const CHECKS: readonly Check[] = ALL.toSorted((a, b) => {
  if (a.isLast !== b.isLast) return a.isLast ? 1 : -1;
  return a.name < b.name ? -1 : 1;
});
