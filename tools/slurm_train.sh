#!/usr/bin/env bash
# Trains under Slurm: one torchrun per node, one process per GPU.
#   tools/slurm_train.sh PARTITION JOB CONFIG WORK_DIR [arguments of tools/train.py]
# NODES (1), GPUS_PER_NODE (8), CPUS_PER_TASK (16), PORT (29500) and SRUN_ARGS in the environment.
set -euo pipefail
if [ $# -lt 4 ]; then sed -n '2,4s/^# //p' "$0"; exit 2; fi
partition=$1; job=$2; config=$3; work_dir=$4; shift 4
gpus=${GPUS_PER_NODE:-8}
# shellcheck disable=SC2086  # SRUN_ARGS is a list of words
srun --partition="$partition" --job-name="$job" --nodes="${NODES:-1}" --ntasks-per-node=1 \
    --gres="gpu:$gpus" --cpus-per-task="${CPUS_PER_TASK:-16}" ${SRUN_ARGS:-} \
    bash -c 'NNODES=$SLURM_NNODES NODE_RANK=$SLURM_NODEID \
        MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1) \
        exec "$0" "$@"' \
    "$(dirname "$0")/dist_train.sh" "$config" "$gpus" --work-dir "$work_dir" "$@"
