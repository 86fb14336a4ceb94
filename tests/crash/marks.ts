// What a person has put into `/etc` and `/var` before the recording, as shell commands: each file must survive.

const MARKS = [
  ["/etc/mark", "mark"],
  ["/var/mark", "mark"],
  // The image has this file as well, with another content.
  ["/etc/changed-here", "mine"],
] as const;

/** `root` is where the booted system is. */
export function setMarks(root = ""): string {
  return MARKS.map(([path, text]) => `echo ${text} > ${root}${path}`).join(" && ");
}

/** Each file by itself: of several, one is enough for grep. */
export function checkMarks(root = ""): string {
  return MARKS.map(
    ([path, text]) => `{ grep -qx ${text} ${root}${path} || { echo ${path} differs; exit 1; }; }`,
  ).join(" && ");
}
