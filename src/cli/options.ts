// Options that several commands share: their declarations, the flags that a command reads, and their meaning.
import { BootcError } from "../errors.ts";
import { TRANSPORTS } from "../image/reference.ts";
import { type CommandOf, InvalidArgumentError, Option, type OptionValues } from "./commander.ts";

/**
 * The parsed options, for a verb that reads `Wanted`. A verb that reads an option which the command does
 * not declare does not compile; optional properties alone would accept a renamed option.
 */
export function declared<Wanted extends object, Given extends Wanted>(
  options: Given & Undeclared<Exclude<keyof Wanted, keyof Given>>,
): Wanted {
  return options;
}

type Undeclared<Names> = [Names] extends [never] ? unknown : { readonly undeclared: Names };

/** How to reach a registry. */
export interface AccessFlags {
  readonly authfile?: string;
  readonly authAnonymous?: boolean;
  readonly certDir?: string;
  readonly insecureSkipTlsVerification?: boolean;
}

export function withAccessOptions<
  Args extends unknown[],
  Opts extends OptionValues,
  GlobalOpts extends OptionValues,
>(command: CommandOf<Args, Opts, GlobalOpts>) {
  return command
    .option("--authfile <file>", "credentials for the registry")
    .addOption(new Option("--auth-anonymous", "use no credentials").conflicts("authfile"))
    .option("--cert-dir <dir>", "certificates for the registry (*.crt, *.cert, *.key)")
    .option("--insecure-skip-tls-verification", "do not verify the registry's certificate");
}

export function accessOf(flags: AccessFlags) {
  return {
    authFile: flags.authfile,
    isAnonymous: flags.authAnonymous,
    certDir: flags.certDir,
    skipsTlsVerification: flags.insecureSkipTlsVerification,
  };
}

/** How long to wait for another writer, in seconds. */
export interface LockFlags {
  readonly lockTimeout?: number;
}

export function repositoryOption() {
  return new Option("--repo <repo>", "the repository's directory").makeOptionMandatory();
}

export function lockTimeoutOption() {
  return seconds("--lock-timeout <seconds>", "how long to wait for another writer (default: 60)", {
    isZeroAllowed: true,
  });
}

export function lockTimeoutOf({ lockTimeout }: LockFlags): number | undefined {
  return lockTimeout === undefined ? undefined : lockTimeout * 1000;
}

/** How long a pull may take, in seconds. */
export interface PullFlags extends LockFlags {
  readonly stallTimeout?: number;
  readonly giveUpAfter?: number;
}

export function withPullOptions<
  Args extends unknown[],
  Opts extends OptionValues,
  GlobalOpts extends OptionValues,
>(command: CommandOf<Args, Opts, GlobalOpts>) {
  return command
    .addOption(lockTimeoutOption())
    .addOption(
      seconds(
        "--stall-timeout <seconds>",
        "restart a transfer that is stuck for this long (default: 60)",
        {
          isZeroAllowed: false,
        },
      ),
    )
    .addOption(
      seconds(
        "--give-up-after <seconds>",
        "fail when no data arrives for this long (default: 300)",
        {
          isZeroAllowed: false,
        },
      ),
    );
}

export function pullLimitsOf(flags: PullFlags) {
  return {
    lockTimeoutMs: lockTimeoutOf(flags),
    limits: {
      ...(flags.stallTimeout === undefined ? {} : { stallMs: flags.stallTimeout * 1000 }),
      ...(flags.giveUpAfter === undefined ? {} : { giveUpMs: flags.giveUpAfter * 1000 }),
    },
  };
}

/** A pull into any repository. */
export interface RepositoryPullFlags extends AccessFlags, PullFlags {
  readonly quiet?: boolean;
}

export function repositoryPullOf(flags: RepositoryPullFlags) {
  return { access: accessOf(flags), ...pullLimitsOf(flags), isQuiet: flags.quiet === true };
}

/** Whether the answer is one JSON document. */
export interface JsonFlags {
  readonly json?: boolean;
}

export function jsonOption() {
  return new Option("--json", "print only the host document, or one error object");
}

/** A pull whose image is deployed on this host. */
export interface DeployFlags extends PullFlags, JsonFlags {
  readonly quiet?: boolean;
  readonly progressFd?: number;
}

export function deploySettingsOf(flags: DeployFlags) {
  return {
    ...pullLimitsOf(flags),
    isQuiet: flags.quiet === true || flags.json === true,
    progressFd: flags.progressFd,
  };
}

export function progressFdOption() {
  return new Option("--progress-fd <number>", "write progress as JSON lines to this descriptor")
    .hideHelp()
    .argParser((text): number => {
      if (/^\d+$/.test(text) && Number(text) >= 3) return Number(text);
      throw new BootcError(`Cannot use fd ${text} for progress JSON`, {
        kind: "usage",
        hint: "give the number of a pipe's descriptor, which is above 2",
      });
    });
}

/** Hidden, as with other implementations, because it may still change. */
export function unifiedStorageOption() {
  return new Option(
    "--experimental-unified-storage",
    "keep the image in the host's container storage as well, for podman",
  )
    .hideHelp()
    .conflicts("enforceContainerSigpolicy");
}

/** Accepts `docker` as well, and a transport with its colon, as in a reference. */
export function transportOption<Flags extends string>(flags: Flags, description: string) {
  return offering(flags, description, TRANSPORTS);
}

/** Help and completion show `values`. Other values are accepted too; the verb that reads them checks them. */
export function offering<Flags extends string>(
  flags: Flags,
  description: string,
  values: readonly string[],
) {
  return new Option(flags, description).choices(values).argParser((value): string => value);
}

/** For an option that may be repeated. */
export function collectValues(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function seconds<Flags extends string>(
  flags: Flags,
  description: string,
  { isZeroAllowed }: { readonly isZeroAllowed: boolean },
) {
  return new Option(flags, description).argParser((text): number => {
    const value = Number(text);
    const isInRange = (isZeroAllowed ? value >= 0 : value > 0) && value <= 1e6;
    if (/^\d+(\.\d+)?$/.test(text) && isInRange) return value;
    const above = isZeroAllowed ? "" : " above 0";
    throw new InvalidArgumentError(`a number of seconds${above} is needed.`);
  });
}
