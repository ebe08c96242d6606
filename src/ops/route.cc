#include "ops/route.h"

#include <algorithm>

#include "ops/elementwise.h"
#include "ops/expect.h"
#include "ops/tape.h"

namespace herd {
namespace {

// The gradient of rows taken from a table, put where they came from; the other rows get none.
Tensor scattered(Context& ctx, const Tensor& dy_RD, std::span<const std::int32_t> row_R,
                 const Tensor& like_TD) {
  const Tensor dx_TD = ctx.like(like_TD);
  std::ranges::fill(dx_TD.as<float>(), 0.0f);
  ctx.kernels.scatter_rows({.x = dy_RD.as<float>().data(),
                            .row = row_R.data(),
                            .table = dx_TD.as<float>().data(),
                            .R = dy_RD.shape[0],
                            .D = dy_RD.shape[1]},
                           ctx.lane);
  return dx_TD;
}

// Every row of x_TE plus bias_E, for a comparison that nobody differentiates.
Tensor plus_row(Context& ctx, const Tensor& x_TE, std::span<const float> bias_E) {
  const Tensor y_TE = ctx.like(x_TE);
  const auto x = x_TE.as<float>(), y = y_TE.as<float>();
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] + bias_E[i % bias_E.size()];
  return y_TE;
}

}  // namespace

TopK top_k(Context& ctx, const Tensor& logits_TE, std::int64_t k, std::span<const float> bias_E) {
  Dim T{"T"}, E{"E"};
  expect(logits_TE, {T, E});
  HERD_CHECK(k >= 1 && k <= E.size(), "top {} of {}", k, E.size());
  HERD_CHECK(bias_E.empty() || std::ssize(bias_E) == E.size(), "a bias of {} for {} experts",
             bias_E.size(), E.size());
  TopK out{ctx.empty({T.size(), k}), ctx.empty({T.size(), k}, DType::i32)};
  const Tensor biased_TE = bias_E.empty() ? logits_TE : plus_row(ctx, logits_TE, bias_E);
  ctx.kernels.top_k({.x = biased_TE.as<float>().data(),
                     .value = out.score_TK.as<float>().data(),
                     .index = out.expert_TK.as<std::int32_t>().data(),
                     .T = T.size(),
                     .E = E.size(),
                     .K = k},
                    ctx.lane);
  if (!bias_E.empty())
    for (std::int64_t i = 0; i < T.size() * k; ++i) {
      const std::int64_t at =
          i / k * E.size() + out.expert_TK.as<std::int32_t>()[static_cast<std::size_t>(i)];
      out.score_TK.as<float>()[static_cast<std::size_t>(i)] =
          logits_TE.as<float>()[static_cast<std::size_t>(at)];
    }
  if (ctx.tape != nullptr)
    ctx.tape->record(
        out.score_TK, {logits_TE.data},
        [&ctx, tape = ctx.tape, logits_TE, expert_TK = out.expert_TK](const Tensor& dscore_TK) {
          const Tensor dlogits_TE = ctx.like(logits_TE);  // only the chosen ones are reached
          std::ranges::fill(dlogits_TE.as<float>(), 0.0f);
          const std::int64_t experts = logits_TE.shape[1], chosen = expert_TK.shape[1];
          for (std::size_t i = 0; i < expert_TK.as<std::int32_t>().size(); ++i) {
            const std::int64_t token = static_cast<std::int64_t>(i) / chosen;
            const std::int64_t at = token * experts + expert_TK.as<std::int32_t>()[i];
            dlogits_TE.as<float>()[static_cast<std::size_t>(at)] = dscore_TK.as<float>()[i];
          }
          tape->give(logits_TE, dlogits_TE);
        });
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
  if (ctx.tape != nullptr)
    ctx.tape->record(y_RD, {x_TD.data, score_TK.data},
                     [&ctx, tape = ctx.tape, x_TD, score_TK, routes](const Tensor& dy_RD) {
                       const Tensor dx_TD = ctx.like(x_TD), dscore_TK = ctx.like(score_TK);
                       ctx.kernels.gather_scaled_grad({.x = x_TD.as<float>().data(),
                                                       .dy = dy_RD.as<float>().data(),
                                                       .row = routes.row_TK.data(),
                                                       .score = score_TK.as<float>().data(),
                                                       .dx = dx_TD.as<float>().data(),
                                                       .dscore = dscore_TK.as<float>().data(),
                                                       .T = x_TD.shape[0],
                                                       .K = score_TK.shape[1],
                                                       .D = x_TD.shape[1]},
                                                      ctx.lane);
                       tape->give(x_TD, dx_TD);
                       tape->give(score_TK, dscore_TK);
                     });
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
  if (ctx.tape != nullptr)
    ctx.tape->record(y_TD, {base_TD.data, out_RD.data},
                     [&ctx, tape = ctx.tape, base_TD, out_RD, routes](const Tensor& dy_TD) {
                       tape->share(base_TD, dy_TD);
                       tape->give(out_RD, gather_rows(ctx, dy_TD, routes.token_R));
                     });
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
  if (ctx.tape != nullptr)
    ctx.tape->record(y_TD, {table.data}, [&ctx, tape = ctx.tape, table, row_T](const Tensor& dy) {
      ctx.kernels.scatter_rows({.x = dy.as<float>().data(),
                                .row = row_T.data(),
                                .table = tape->leaf(table.data),
                                .R = dy.shape[0],
                                .D = dy.shape[1]},
                               ctx.lane);
    });
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
  if (ctx.tape != nullptr)
    ctx.tape->record(y, {x_TD.data}, [&ctx, tape = ctx.tape, x_TD, row](const Tensor& dy) {
      tape->give(x_TD, scattered(ctx, dy, row, x_TD));
    });
  return y;
}

Tensor replace_rows(Context& ctx, const Tensor& x_TD, const Tensor& new_FD,
                    std::span<const std::int32_t> row_F) {
  Dim T{"T"}, D{"D"}, F{"F", static_cast<std::int64_t>(row_F.size())};
  expect(x_TD, {T, D});
  expect(new_FD, {F, D});
  const Tensor y_TD = ctx.like(x_TD);
  copy(x_TD, y_TD);
  for (std::size_t f = 0; f < row_F.size(); ++f)
    std::copy_n(new_FD.as<float>().data() + static_cast<std::int64_t>(f) * D.size(), D.size(),
                y_TD.as<float>().data() + row_F[f] * D.size());
  if (ctx.tape != nullptr)
    ctx.tape->record(y_TD, {x_TD.data, new_FD.data},
                     [&ctx, tape = ctx.tape, x_TD, new_FD, row_F](const Tensor& dy_TD) {
                       if (tape->wants(new_FD.data))
                         tape->give(new_FD, gather_rows(ctx, dy_TD, row_F));
                       const Tensor dx_TD = ctx.like(x_TD);
                       copy(dy_TD, dx_TD);
                       for (const std::int32_t row : row_F)
                         std::fill_n(dx_TD.as<float>().data() + row * x_TD.shape[1], x_TD.shape[1],
                                     0.0f);
                       tape->give(x_TD, dx_TD);
                     });
  return y_TD;
}

}  // namespace herd
