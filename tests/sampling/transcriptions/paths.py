"""All paths by their names."""

from sampling.transcriptions import (
    exllamav2,
    exllamav3,
    koboldcpp,
    llama_cpp,
    mlx_lm,
    ollama,
    sglang,
    tabbyapi,
    text_generation_webui,
    transformers,
    vllm,
)
from sampling.transcriptions.common import Path

PATHS: dict[str, Path] = {
    path.__name__: path
    for path in (
        transformers.transformers,
        llama_cpp.llama_cpp,
        llama_cpp.llama_cpp_mirostat_v2,
        vllm.vllm_pytorch,
        vllm.vllm_flashinfer,
        vllm.vllm_triton,
        vllm.vllm_triton_rule,
        sglang.sglang_pytorch,
        sglang.sglang_flashinfer,
        mlx_lm.mlx_lm_0_32_2,
        mlx_lm.mlx_lm_d78bf58,
        exllamav2.exllamav2,
        exllamav3.exllamav3_1_6_5,
        exllamav3.exllamav3_1_4_1,
        tabbyapi.tabbyapi,
        ollama.ollama_gguf,
        ollama.ollama_mlx,
        koboldcpp.koboldcpp,
        koboldcpp.koboldcpp_mirostat_v2,
        text_generation_webui.text_generation_webui,
    )
}
