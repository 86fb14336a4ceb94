// Finds the chroots of a project that the server added. While a project follows Fedora's branching, the
// server adds every new release beside rawhide. The results of a chroot are deleted a week after it is
// switched off.

interface FedoraChroot {
  /** `45` or `rawhide`. */
  readonly release: string;
  readonly arch: string;
}

/**
 * Those of `present` that the server has added to `listed`. It only ever adds a Fedora that is newer than all
 * others, so an older one was taken out of the list. A newer one that was taken out looks just like one that
 * the server added; the project file can exclude it.
 */
export function findBranched(
  listed: readonly string[],
  present: readonly string[],
): readonly string[] {
  const ours = listed.flatMap(parseFedora);
  return present.filter((name) =>
    parseFedora(name).some(({ release, arch }) => {
      const siblings = ours.filter((it) => it.arch === arch);
      return siblings.length > 0 && siblings.every((it) => isNewer(release, it.release));
    }),
  );
}

/** Whether Fedora branched `release` after `listed`. */
function isNewer(release: string, listed: string): boolean {
  if (release === "rawhide") return false;
  return listed === "rawhide" || Number(release) > Number(listed);
}

/** One chroot, or none if the name is not that of a Fedora release. */
function parseFedora(name: string): readonly FedoraChroot[] {
  const [, release, arch] = /^fedora-(\d+|rawhide)-(.+)$/.exec(name) ?? [];
  return release === undefined || arch === undefined ? [] : [{ release, arch }];
}
