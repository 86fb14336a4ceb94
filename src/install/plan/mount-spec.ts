// The mount of `/boot`: as the command line gives it, and as a line of fstab.
import { BootcError } from "../../errors.ts";

/** A line of fstab without its last two numbers. */
export interface MountSpec {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: string;
}

/** Parses `SOURCE [TARGET [TYPE [OPTIONS]]]`. The target, if given, must be `target`. */
export function parseMountSpec(text: string, target: string): MountSpec {
  const [source, where = target, type = "auto", options = "", ...rest] = text.trim().split(/\s+/);
  if (source === undefined || source === "" || rest.length > 0) {
    throw new BootcError(`\`${text}\` is not a mount: expected SOURCE [TARGET [TYPE [OPTIONS]]]`, {
      kind: "usage",
    });
  }
  if (where !== target) {
    throw new BootcError(`\`${text}\` mounts \`${where}\`; expected \`${target}\``, {
      kind: "usage",
    });
  }
  return { source, target, type, options };
}

export function withMountOption(spec: MountSpec, option: string): MountSpec {
  const options = spec.options === "" ? [] : spec.options.split(",");
  return { ...spec, options: [...options.filter((it) => it !== option), option].join(",") };
}

export function formatFstabLine({ source, target, type, options }: MountSpec): string {
  return `${source} ${target} ${type} ${options || "defaults"} 0 0`;
}

/** Finds the mount of `target` in the text of an fstab. */
export function findFstabMount(fstab: string, target: string): MountSpec | undefined {
  for (const line of fstab.split("\n")) {
    const [source = "", where, type = "auto", options = ""] = line.trim().split(/\s+/);
    if (where === target && !source.startsWith("#")) return { source, target, type, options };
  }
  return undefined;
}

/** An image's fstab with our line for `/boot` instead of its own. Everything else stays. */
export function withFstabMount(fstab: string, spec: MountSpec): string {
  const kept = fstab.split("\n").filter((line) => {
    const [source = "", where] = line.trim().split(/\s+/);
    return source.startsWith("#") || where !== spec.target;
  });
  const text = kept.join("\n").trimEnd();
  return `${text}${text === "" ? "" : "\n"}${formatFstabLine(spec)}\n`;
}
