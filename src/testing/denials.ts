// The denials of SELinux in the log of a machine's console, and which of them concern bootc.

/** One `avc: denied` message of the kernel. */
export interface Denial {
  readonly line: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** All denials of a console log. Fails if the kernel says that it has lost some. */
export function readDenials(log: string): readonly Denial[] {
  const lost = /^.*audit: .*(?:lost|overflow|limit exceeded|suppressed).*$/m.exec(log);
  if (lost !== null) throw new Error(`the log is not complete: ${lost[0]}`);
  return log
    .split(/\r?\n/)
    .filter((line) => /avc: +denied/.test(line))
    .map((line) => ({ line, fields: readFields(line) }));
}

/** Whether the kernel of this boot has loaded a policy. */
export function hasPolicy(log: string): boolean {
  return / type=1403 .*lsm=selinux/.test(log);
}

/** The denials of a boot that concern bootc. Fails if no policy was loaded, for then nothing is denied. */
export function readOwnDenials(log: string): readonly Denial[] {
  if (hasPolicy(log)) return readDenials(log).filter(isOurs);
  throw new Error(`the kernel has loaded no policy; the log ends with: ${log.trim().slice(-200)}`);
}

function readFields(line: string): ReadonlyMap<string, string> {
  const pairs = [...line.matchAll(/\b(\w+)=(?:"([^"]*)"|(\S+))/g)];
  return new Map(pairs.map(([, key = "", quoted, plain]) => [key, quoted ?? plain ?? ""]));
}

/** bootc by its name and by those of Node's threads, and the programs that run for it. */
const PROGRAMS =
  /^(?:bootc|node-|V8|libuv|DelayedTask|ostree|skopeo|podman|publish-boot|needs-|destructive-|health$)/;

/** Files and domains of ours. */
const OURS = /bootc|\/ostree\b|"ostree"/;

/** Whether a process or a file of the denial is ours. */
export function isOurs({ line, fields }: Denial): boolean {
  return PROGRAMS.test(fields.get("comm") ?? "") || OURS.test(line);
}
