// The version that this program reports: the bundler inserts it; in a checkout, package.json has it.

declare const BOOTC_VERSION: string | undefined;

export const VERSION = typeof BOOTC_VERSION === "string" ? BOOTC_VERSION : "0.0.0-dev";
