// The version this program reports: put in by the bundler, package.json's when run from a checkout.

declare const BOOTC_VERSION: string | undefined;

export const VERSION = typeof BOOTC_VERSION === "string" ? BOOTC_VERSION : "0.0.0-dev";
