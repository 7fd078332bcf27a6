"""How much of a fine image noise survives sampling with an exact denoiser: python Testing/Core/diffusion/fine_noise.py

Independent voxels N(0, spread^2) have a linear exact denoiser, so a deterministic sampler multiplies the start noise by one
number; that number over the spread is the share of the noise that is kept, without any sampling error.
"""

import torch
from analytic_gaussian import GaussianData

from StructDiffCore.diffusion.levels import flow_levels, linear_alpha_bar, log_snr_levels, vp_levels
from StructDiffCore.diffusion.samplers import ddim, dpm_solver_pp_2m, euler, heun, last_clean

FINE_NOISE_HU = 20.0


def kept_share(sampler, levels, spread):
    """Spread of the sample over the spread of the data, 1 where the noise is kept whole."""
    start = torch.full((1, 1, 1, 1, 1), levels[0].sigma, dtype=torch.float64)
    return last_clean(sampler(GaussianData(0.0, spread), start, levels)).item() / spread


def fine_noise_table(calls, hu_per_unit):
    """(sampler and grid, share kept) of 20 HU noise with at most ``calls`` network calls."""
    spread = FINE_NOISE_HU / hu_per_unit
    grid = log_snr_levels(calls, sigma_min=spread / 20)
    half_grid = log_snr_levels((calls + 1) // 2, sigma_min=spread / 20)
    uniform_t = vp_levels(linear_alpha_bar(), calls)
    return [
        ("DPM-Solver++ 2M, log-SNR", kept_share(dpm_solver_pp_2m, grid, spread)),
        ("Heun, log-SNR", kept_share(heun, half_grid, spread)),
        ("DDIM, log-SNR", kept_share(ddim, grid, spread)),
        ("DPM-Solver++ 2M, uniform t", kept_share(dpm_solver_pp_2m, uniform_t, spread)),
        ("DDIM, uniform t", kept_share(ddim, uniform_t, spread)),
        ("DPM-Solver++ 2M, flow, uniform t", kept_share(dpm_solver_pp_2m, flow_levels(calls), spread)),
        ("Euler, flow, uniform t", kept_share(euler, flow_levels(calls), spread)),
    ]


def main():
    for hu_per_unit in (50, 250, 1000):
        for calls in (10, 20, 50):
            print(f"1 unit = {hu_per_unit} HU, {calls} calls")
            for name, share in fine_noise_table(calls, hu_per_unit):
                print(f"  {name:34s} {100 * share:5.0f} %")


if __name__ == "__main__":
    main()
