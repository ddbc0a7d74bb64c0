/** Compatibility flags that Miniflare 2 does not know, by its own rule: a flag decides, else the date. */
import type { Compatibility } from "@miniflare/shared";

interface Feature {
  enableFlag: string;
  disableFlag?: string;
  /** Date from which it is on without a flag. */
  defaultAsOf?: string;
}

const FEATURES = {
  rpc: { enableFlag: "rpc", disableFlag: "no_rpc", defaultAsOf: "2024-04-03" },
  rpcWithoutBase: { enableFlag: "js_rpc" },
  exports: {
    enableFlag: "enable_ctx_exports",
    disableFlag: "disable_ctx_exports",
    defaultAsOf: "2025-11-17",
  },
  dupStubs: {
    enableFlag: "rpc_params_dup_stubs",
    disableFlag: "rpc_params_transfer_stubs",
    defaultAsOf: "2026-01-20",
  },
  enhancedErrors: {
    enableFlag: "enhanced_error_serialization",
    disableFlag: "legacy_error_serialization",
    defaultAsOf: "2026-04-21",
  },
  deleteAllDeletesAlarm: {
    enableFlag: "delete_all_deletes_alarm",
    disableFlag: "delete_all_preserves_alarm",
    defaultAsOf: "2026-02-24",
  },
  noImportableEnv: { enableFlag: "disallow_importable_env", disableFlag: "allow_importable_env" },
} satisfies Record<string, Feature>;

/** What `Compatibility` keeps private in its types. */
interface Given {
  compatibilityDate: string;
  compatibilityFlags: string[];
}

export type FeatureName = keyof typeof FEATURES;

export function isEnabled(compat: Compatibility, name: FeatureName): boolean {
  const { enableFlag, disableFlag, defaultAsOf }: Feature = FEATURES[name];
  const { compatibilityDate, compatibilityFlags } = compat as unknown as Given;
  if (disableFlag !== undefined && compatibilityFlags.includes(disableFlag)) return false;
  if (compatibilityFlags.includes(enableFlag)) return true;
  return defaultAsOf !== undefined && defaultAsOf <= compatibilityDate;
}

/** Whether a flag is given against RPC, which modern classes have at any date. */
export function refusesRpc(compat: Compatibility): boolean {
  return (compat as unknown as Given).compatibilityFlags.includes("no_rpc");
}
