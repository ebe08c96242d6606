#include "ops/route.h"

#include "ops/expect.h"

namespace herd {

TopK top_k(Context& ctx, const Tensor& logits_TE, std::int64_t k) {
  Dim T{"T"}, E{"E"};
  expect(logits_TE, {T, E});
  HERD_CHECK(k >= 1 && k <= E.size(), "top {} of {}", k, E.size());
  TopK out{ctx.empty({T.size(), k}), ctx.empty({T.size(), k}, DType::i32)};
  ctx.kernels.top_k({.x = logits_TE.as<float>().data(),
                     .value = out.score_TK.as<float>().data(),
                     .index = out.expert_TK.as<std::int32_t>().data(),
                     .T = T.size(),
                     .E = E.size(),
                     .K = k},
                    ctx.lane);
  return out;
}

Routes group_by_expert(const Tensor& expert_TK, std::int64_t experts) {
  Dim T{"T"}, K{"K"};
  expect(expert_TK, {T, K}, DType::i32);
  const auto expert = expert_TK.as<std::int32_t>();
  Routes routes;
  routes.begin.assign(static_cast<std::size_t>(experts) + 1, 0);
  for (const std::int32_t e : expert) ++routes.begin[static_cast<std::size_t>(e) + 1];
  for (std::size_t e = 0; e < static_cast<std::size_t>(experts); ++e)
    routes.begin[e + 1] += routes.begin[e];

  std::vector<std::int64_t> next(routes.begin.begin(), routes.begin.end() - 1);
  routes.token_R.resize(expert.size());
  routes.choice_R.resize(expert.size());
  routes.row_TK.resize(expert.size());
  for (std::size_t choice = 0; choice < expert.size(); ++choice) {
    const auto row = static_cast<std::size_t>(next[static_cast<std::size_t>(expert[choice])]++);
    routes.token_R[row] = static_cast<std::int32_t>(static_cast<std::int64_t>(choice) / K.size());
    routes.choice_R[row] = static_cast<std::int32_t>(choice);
    routes.row_TK[choice] = static_cast<std::int32_t>(row);
  }
  return routes;
}

Tensor gather_scaled(Context& ctx, const Tensor& x_TD, const Routes& routes,
                     const Tensor& score_TK) {
  Dim T{"T"}, D{"D"}, K{"K"};
  expect(x_TD, {T, D});
  expect(score_TK, {T, K});
  const auto rows = static_cast<std::int64_t>(routes.token_R.size());
  HERD_CHECK(rows == T.size() * K.size(), "{} routes for {} x {}", rows, T.size(), K.size());
  Tensor factor_R = ctx.empty({rows});
  for (std::size_t row = 0; row < routes.choice_R.size(); ++row)
    factor_R.as<float>()[row] =
        score_TK.as<float>()[static_cast<std::size_t>(routes.choice_R[row])];
  Tensor y_RD = ctx.empty({rows, D.size()});
  ctx.kernels.gather({.table = x_TD.data,
                      .dtype = DType::f32,
                      .row = routes.token_R.data(),
                      .factor = factor_R.as<float>().data(),
                      .y = y_RD.as<float>().data(),
                      .R = rows,
                      .D = D.size()},
                     ctx.lane);
  return y_RD;
}

Tensor scatter_add(Context& ctx, const Tensor& base_TD, const Tensor& out_RD,
                   const Routes& routes) {
  Dim T{"T"}, D{"D"}, R{"R", static_cast<std::int64_t>(routes.row_TK.size())};
  expect(base_TD, {T, D});
  expect(out_RD, {R, D});
  Tensor y_TD = ctx.like(base_TD);
  ctx.kernels.gather_add({.base = base_TD.as<float>().data(),
                          .x = out_RD.as<float>().data(),
                          .row = routes.row_TK.data(),
                          .y = y_TD.as<float>().data(),
                          .T = T.size(),
                          .K = T.size() == 0 ? 0 : R.size() / T.size(),
                          .D = D.size()},
                         ctx.lane);
  return y_TD;
}

Tensor embed(Context& ctx, const Matrix& table, std::span<const std::int32_t> row_T) {
  HERD_CHECK(table.layout == Layout::out_in && table.stride == table.in && table.scale == nullptr,
             "an embedding table is plain rows");
  const auto rows = static_cast<std::int64_t>(row_T.size());
  Tensor y_TD = ctx.empty({rows, table.in});
  ctx.kernels.gather({.table = table.data,
                      .dtype = table.dtype,
                      .row = row_T.data(),
                      .factor = nullptr,
                      .y = y_TD.as<float>().data(),
                      .R = rows,
                      .D = table.in},
                     ctx.lane);
  return y_TD;
}

Tensor gather_rows(Context& ctx, const Tensor& x_TD, std::span<const std::int32_t> row) {
  Dim T{"T"}, D{"D"};
  expect(x_TD, {T, D});
  Tensor y = ctx.empty({static_cast<std::int64_t>(row.size()), D.size()});
  ctx.kernels.gather({.table = x_TD.data,
                      .dtype = DType::f32,
                      .row = row.data(),
                      .factor = nullptr,
                      .y = y.as<float>().data(),
                      .R = static_cast<std::int64_t>(row.size()),
                      .D = D.size()},
                     ctx.lane);
  return y;
}

}  // namespace herd
